"""Change training images at random: whole batches on their device, each sample differently."""

from medfl.augment.augmenter import Augmenter, make_augmenter
from medfl.augment.presets import PRESETS, Recipe
from medfl.augment.recipe import chosen_preset, recipe_for
from medfl.augment.sheet import augmentation_sheet

__all__ = [
    "PRESETS",
    "Augmenter",
    "Recipe",
    "augmentation_sheet",
    "chosen_preset",
    "make_augmenter",
    "recipe_for",
]
