"""Random changes of training images: whole batches, on their device, different for each sample."""

from medfl.augment.augmenter import Augmenter, make_augmenter
from medfl.augment.presets import PRESETS, Recipe
from medfl.augment.resolve import preset_name, resolve
from medfl.augment.sheet import augmentation_sheet

__all__ = [
    "PRESETS",
    "Augmenter",
    "Recipe",
    "augmentation_sheet",
    "make_augmenter",
    "preset_name",
    "resolve",
]
