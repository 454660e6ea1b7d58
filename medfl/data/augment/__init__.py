"""Random changes of training images: whole batches, on their device, different for each sample."""

from medfl.data.augment.augmenter import Augmenter, make_augmenter
from medfl.data.augment.presets import MODALITIES, PRESETS, Recipe
from medfl.data.augment.resolve import preset_name, resolve
from medfl.data.augment.sheet import augmentation_sheet

__all__ = [
    "MODALITIES",
    "PRESETS",
    "Augmenter",
    "Recipe",
    "augmentation_sheet",
    "make_augmenter",
    "preset_name",
    "resolve",
]
