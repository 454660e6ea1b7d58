"""Cover parts of samples (cutout), and mix two samples and their labels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from medfl.augment.draws import Draws
from medfl.augment.intensity import on_rows, per_sample
from medfl.augment.presets import Recipe


def cutout(images: Tensor, recipe: Recipe, draws: Draws) -> None:
    """Cover a box of some samples with their mean grey (DeVries and Taylor, 2017), in place."""
    rows = draws.chosen("cutout", recipe.cutout_probability)
    if not len(rows):
        return
    side = draws.unit("cutout_size", rows) * recipe.cutout
    inside = boxes(_centres(draws, "cutout", rows, images.ndim - 2), side, images.shape[2:])

    def change(some: Tensor) -> Tensor:
        covered = inside.to(some.device, non_blocking=True)[:, None]
        mean = some.mean(dim=tuple(range(2, some.ndim)), keepdim=True)
        return torch.where(covered, mean, some)

    on_rows(images, rows, change)


def mix(
    images: Tensor, labels: Tensor, classes: int, recipe: Recipe, draws: Draws
) -> tuple[Tensor, Tensor]:
    """Mix each sample with another: mixup (Zhang, ICLR 2018) or CutMix (Yun, ICCV 2019).

    Every sample has a share λ ~ Beta(α, α) of its own. Where both are on, half of the batches are
    mixed in one way, half in the other.

    Args:
        images: (B, C, …); normalised or not, since the mixture is linear.
        labels: (B,) class indices, or (B, K) indicators.
        classes: K.
        recipe: ``mixup`` and ``cutmix`` are the α.
        draws: the numbers of this batch.

    Returns:
        New images, and labels (B, K) in the images' type: each the λ-weighted mean of two.
    """
    cut = recipe.cutmix > 0 and (recipe.mixup <= 0 or float(draws.unit("mix", _first())) < 0.5)
    generator = draws.generator("mix")
    everyone = torch.arange(draws.size)
    partner = torch.randperm(draws.size, generator=generator)
    alpha = recipe.cutmix if cut else recipe.mixup
    # PyTorch's Beta distribution takes no generator.
    random = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
    share = torch.from_numpy(random.beta(alpha, alpha, draws.size))
    other = partner.to(images.device, non_blocking=True)
    if cut:
        dims = images.ndim - 2
        centres = _centres(draws, "mix", everyone, dims)
        inside = boxes(centres, (1 - share) ** (1 / dims), images.shape[2:])
        share = 1 - inside.flatten(1).double().mean(dim=1)  # the border cuts boxes off
        pasted = inside.to(images.device, non_blocking=True)[:, None]
        mixed = torch.where(pasted, images[other], images)
    else:
        mixed = torch.lerp(images[other], images, per_sample(share, images))
    soft = one_hot(labels, classes) if labels.ndim == 1 else labels
    soft = soft.to(images.dtype)
    return mixed, torch.lerp(soft[other], soft, per_sample(share, soft))


def boxes(centres: Tensor, side: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Mark boxes, (k, *shape) bool, True inside.

    Args:
        centres: (k, n) places along the axes of ``shape``, in parts of the image's side.
        side: (k,) sides of the boxes, in parts of the image's side.
        shape: the image's.
    """
    inside = torch.ones(len(side), *[1] * len(shape), dtype=torch.bool)
    for axis, size in enumerate(shape):
        pixel = (torch.arange(size, dtype=torch.float64) + 0.5) / size
        near = (pixel - centres[:, axis, None]).abs() < side[:, None] / 2
        inside = inside & near.view(len(side), *[-1 if k == axis else 1 for k in range(len(shape))])
    return inside


def _centres(draws: Draws, name: str, rows: Tensor, dims: int) -> Tensor:
    return torch.stack([draws.unit(f"{name}_{axis}", rows) for axis in "zyx"[-dims:]], dim=1)


def _first() -> Tensor:
    return torch.zeros(1, dtype=torch.int64)
