"""Change pixels by their own value and place: tone, colour, stain and the coils' bias.

Values are in [0, 1], black to white.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from medfl.augment.draws import Draws
from medfl.augment.presets import Recipe
from medfl.augment.splines import NODES, smooth_field

# Optical densities of haematoxylin, eosin and DAB in red, green and blue. Ruifrok and Johnston,
# Quantification of histochemical staining by color deconvolution, Anal Quant Cytol Histol 2001.
DYES = ((0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78))
DARKEST = 1e-3  # share of the light that passes at least, since its logarithm is taken


def on_rows(images: Tensor, rows: Tensor, change: Callable[[Tensor], Tensor]) -> None:
    """Put ``change`` of these samples in their place."""
    if len(rows):
        on_device = rows.to(images.device, non_blocking=True)
        images[on_device] = change(images[on_device])


def per_sample(values: Tensor, images: Tensor) -> Tensor:
    """Bring (k,) or (k, C) numbers to the images' device and type, to multiply (k, C, …)."""
    moved = values.to(images.device, images.dtype, non_blocking=True)
    return moved.view(*moved.shape, *[1] * (images.ndim - moved.ndim))


def bias_field(images: Tensor, recipe: Recipe, draws: Draws) -> None:
    """Multiply by a smooth positive field, the same in all channels: uneven receiver coils."""
    rows = draws.chosen("bias_field", recipe.bias_field_probability)
    if not len(rows):
        return
    shape = tuple(images.shape[2:])
    size = draws.unit("bias_field_size", rows) * recipe.bias_field
    generator = draws.generator("bias_field")
    nodes = 2 * torch.rand(len(rows), *[NODES] * len(shape), generator=generator) - 1
    nodes = nodes * size.float().view(-1, *[1] * len(shape))

    def change(some: Tensor) -> Tensor:
        moved = nodes.to(some.device, some.dtype, non_blocking=True)
        return some.mul_(smooth_field(moved, shape).exp_()[:, None])

    on_rows(images, rows, change)


def tone(images: Tensor, recipe: Recipe, draws: Draws) -> None:
    """Change brightness (a gain), then contrast about the sample's mean, then gamma."""
    rows = draws.chosen("tone", recipe.tone_probability)
    gain = 1 + draws.either_way("brightness", rows, recipe.brightness)
    slope = 1 + draws.either_way("contrast", rows, recipe.contrast)
    exponent = draws.ratio("gamma", rows, recipe.gamma)

    def change(some: Tensor) -> Tensor:
        return curve(some, gain, slope if recipe.contrast else None, exponent)

    on_rows(images, rows, change)


def curve(images: Tensor, gain: Tensor, slope: Tensor | None, exponent: Tensor) -> Tensor:
    """Compute (x̄ + slope·(gain·x − x̄))^exponent, x̄ the mean of gain·x; the base is clipped."""
    factor = per_sample(gain, images)
    if slope is None:
        result = images * factor
    else:
        mean = images.mean(dim=tuple(range(1, images.ndim)), keepdim=True) * factor
        steep = per_sample(slope, images)
        result = (images * (factor * steep)).add_(mean * (1 - steep))
    return result.clamp_(0, 1).pow_(per_sample(exponent, images))


def colour(images: Tensor, recipe: Recipe, draws: Draws) -> None:
    """Give each channel a gain (white balance), and make colours paler or stronger. RGB only."""
    rows = draws.chosen("colour", recipe.colour_probability)
    gains = torch.stack(
        [1 + draws.either_way(name, rows, recipe.colour) for name in ("red", "green", "blue")], 1
    )
    saturation = 1 + draws.either_way("saturation", rows, recipe.colour)

    def change(some: Tensor) -> Tensor:
        some = some * per_sample(gains, some)
        grey = some.mean(dim=1, keepdim=True)
        return grey + (some - grey).mul_(per_sample(saturation, some))

    on_rows(images, rows, change)


def stain(images: Tensor, recipe: Recipe, draws: Draws) -> None:
    """Put more or less of each dye into the picture. RGB only.

    Tellez et al., Whole-slide mitosis detection in H&E breast histology, IEEE TMI 2018: the
    density of each dye becomes α·density + β, α within 1 ± limit. Their β would tint the bare
    glass; it is left out.
    """
    rows = draws.chosen("stain", recipe.stain_probability)
    if len(rows):
        generator = draws.generator("stain")
        drawn = 2 * torch.rand(len(rows), 3, generator=generator, dtype=torch.float64) - 1
        on_rows(images, rows, lambda some: restain(some, 1 + drawn * recipe.stain))


def restain(images: Tensor, amounts: Tensor) -> Tensor:
    """Multiply each dye's density in images (k, 3, …) by ``amounts`` (k, 3)."""
    dyes = torch.tensor(DYES, dtype=torch.float64)
    # density = dyes' amounts @ DYES; there and back is one matrix of channels for each sample
    mixing = torch.linalg.inv(dyes) @ torch.diag_embed(amounts) @ dyes
    density = images.clamp(min=DARKEST).log_()  # the negative of it, which is linear as well
    flat = density.flatten(2).transpose(1, 2)
    matrix = mixing.to(images.device, images.dtype, non_blocking=True)
    return (flat @ matrix).transpose(1, 2).reshape(images.shape).exp_()
