"""Patches of volumes that are too large: random ones to train on, a sliding window to evaluate.

A patch inherits its volume's label, so it should be large enough to hold what decides the class.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product

import torch
from torch import Tensor

from medfl.errors import MedflError
from medfl.federated.data import channels_last


def patch_sides(patch: int | Sequence[int], sides: Sequence[int]) -> tuple[int, ...]:
    """The patch's sides for images of these ``sides``; ``MedflError`` if it does not fit."""
    size = (patch,) * len(sides) if isinstance(patch, int) else tuple(patch)
    if len(size) != len(sides):
        raise MedflError(
            f"training.patch has {len(size)} sides, the images have {len(sides)}: give one number, "
            "or one for each side."
        )
    if any(part > side for part, side in zip(size, sides, strict=True)):
        shown = "×".join(map(str, sides))
        raise MedflError(f"training.patch is {list(size)}, larger than the images of {shown}.")
    return size


def random_patch(images: Tensor, size: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Cut one patch (B, C, *size) out of each image (B, C, …); every place is equally likely.

    ``generator`` is on the CPU, whatever device the images are on.
    """
    starts = [
        torch.randint(side - part + 1, (len(images),), generator=generator).tolist()
        for side, part in zip(images.shape[2:], size, strict=True)
    ]
    cut = [
        image[(slice(None), *_window(start, size))]
        for image, start in zip(images, zip(*starts, strict=True), strict=True)
    ]
    return torch.stack(cut).contiguous(memory_format=channels_last(images.ndim))


def patch_grid(
    sides: Sequence[int], size: Sequence[int], overlap: float = 0.5
) -> list[tuple[int, ...]]:
    """Where the patches begin that cover an image, spread evenly from edge to edge.

    Two neighbours share at least the part ``overlap`` of a side, as far as whole voxels allow.
    """
    axes = []
    for side, part in zip(sides, size, strict=True):
        step = max(1, math.floor(part * (1 - overlap)))
        count = math.ceil((side - part) / step)
        axes.append([round(k * (side - part) / count) for k in range(count + 1)] if count else [0])
    return list(product(*axes))


def sliding_window(
    network: Callable[[Tensor], Tensor], images: Tensor, size: tuple[int, ...]
) -> Tensor:
    """Logits (B, K) of the images (B, C, …): the mean over the patches of ``patch_grid``."""
    grid = patch_grid(images.shape[2:], size)
    total = sum(
        network(images[(slice(None), slice(None), *_window(start, size))]).double()
        for start in grid
    )
    assert isinstance(total, Tensor)
    return total / len(grid)


def _window(start: Sequence[int], size: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(first, first + part) for first, part in zip(start, size, strict=True))
