"""Do all transforms of a recipe, in order, to batches."""

from __future__ import annotations

import torch
from torch import Tensor

from medfl.augment.draws import Draws
from medfl.augment.geometry import flip, move
from medfl.augment.intensity import bias_field, colour, stain, tone
from medfl.augment.mixing import cutout, mix
from medfl.augment.noise import add_noise
from medfl.augment.presets import Recipe
from medfl.augment.recipe import recipe_for
from medfl.augment.resolution import soften
from medfl.config import Augmentation
from medfl.store import DatasetInfo


class Augmenter:
    """Changes training batches at random; has no state between them but its generator's.

    Attributes:
        recipe: what happens, how often and how strongly.
        classes: K, the length of the soft labels that mixing makes.
        generator: a CPU generator; one table is drawn from it for each batch.
    """

    def __init__(self, recipe: Recipe, classes: int, generator: torch.Generator) -> None:
        self.recipe, self.classes, self.generator = recipe, classes, generator

    def draw(self, size: int) -> Draws:
        """The numbers of the next batch."""
        return Draws(size, self.generator)

    def images(self, pixels: Tensor, draws: Draws) -> Tensor:
        """Overwrite pixels (B, C, …) in [0, 1] with what becomes of them, in [0, 1].

        The order is that in which a picture is made: the patient's pose, the coils and the tissue's
        stain, the optics, the display, the detector's noise. Noise comes after the display so that
        its deviation is what the recipe says.
        """
        recipe = self.recipe
        flip(pixels, recipe, draws)
        move(pixels, recipe, draws)
        bias_field(pixels, recipe, draws)
        stain(pixels, recipe, draws)
        soften(pixels, recipe, draws)
        colour(pixels, recipe, draws)
        tone(pixels, recipe, draws)
        add_noise(pixels, recipe, draws)
        pixels.clamp_(0, 1)
        cutout(pixels, recipe, draws)
        return pixels

    def mix(self, images: Tensor, labels: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Mix samples in pairs, where the recipe says so; see ``mixing.mix``."""
        if self.recipe.mixup > 0 or self.recipe.cutmix > 0:
            return mix(images, labels, self.classes, self.recipe, draws)
        return images, labels


def make_augmenter(
    settings: Augmentation, info: DatasetInfo, shape: tuple[int, ...], generator: torch.Generator
) -> Augmenter | None:
    """Make what ``settings`` do to images of ``shape`` (N, C, …); None where that is nothing."""
    recipe = recipe_for(settings, info, shape)
    return None if recipe is None else Augmenter(recipe, len(info.classes), generator)
