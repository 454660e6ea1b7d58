"""Turn the section `augmentation` of a configuration into the numbers of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from medfl.augment.presets import OF_DATASET, PRESETS, SWITCHES, Recipe
from medfl.config import Augmentation
from medfl.errors import MedflError
from medfl.imaging.codes import meaning_of
from medfl.store import DatasetInfo

STRENGTH = {"light": 0.5, "medium": 1.0, "strong": 1.5}


def recipe_for(settings: Augmentation, info: DatasetInfo, shape: tuple[int, ...]) -> Recipe | None:
    """Work out the numbers of a run.

    Args:
        settings: the configuration's section.
        info: the dataset; ``auto`` goes by its modality.
        shape: shape of its images, (N, C, H, W) or (N, C, D, H, W).

    Returns:
        None where nothing is to happen.

    Raises:
        MedflError: settings would do nothing, or these images cannot take them.
    """
    mixing: dict[str, Any] = {"mixup": settings.mixup, "cutmix": settings.cutmix}
    if settings.preset == "none":
        return Recipe(**mixing) if any(mixing.values()) else None
    name = chosen_preset(settings, info)
    recipe = scaled(PRESETS[name], STRENGTH[settings.strength])
    channels, volume = shape[1], len(shape) == 5
    overrides = settings.overrides()
    if channels != 3:
        recipe = replace(recipe, stain_probability=0.0, colour_probability=0.0)
    recipe = replace(recipe, **overrides, **mixing)
    if channels != 3 and (recipe.stain_probability or recipe.colour_probability):
        raise MedflError(
            f"augmentation: colour and stain need 3 channels; {info.name} has {channels}. "
            "Leave their probabilities out."
        )
    if not volume and recipe.flip_depth:
        raise MedflError(
            f"augmentation: flip_depth is for volumes, and {info.name} has flat images. "
            "Use flip_horizontal or flip_vertical."
        )
    _refuse_idle(recipe, overrides, name)
    return recipe


def chosen_preset(settings: Augmentation, info: DatasetInfo) -> str:
    """The preset that a run uses: the named one, or what ``auto`` stands for here."""
    if settings.preset != "auto":
        return settings.preset
    if info.name in OF_DATASET:
        return OF_DATASET[info.name]
    meaning = meaning_of(info.modality)
    if meaning is None:
        raise MedflError(
            f"augmentation: no preset belongs to the modality `{info.modality}` of {info.name}. "
            f"Name one in place of auto: {', '.join(PRESETS)}."
        )
    return meaning.augmentation


def scaled(recipe: Recipe, factor: float) -> Recipe:
    """Multiply every magnitude by ``factor``; probabilities stay as they are."""
    numbers: dict[str, Any] = {
        limit: getattr(recipe, limit) * factor for limits in SWITCHES.values() for limit in limits
    }
    numbers["rotation"] = min(numbers["rotation"], 180.0)
    if recipe.rotation == 180:  # no direction is up, whatever the strength
        numbers["rotation"] = 180.0
    numbers["low_resolution"] = 1 + (recipe.low_resolution - 1) * factor
    return replace(recipe, **numbers)


def _refuse_idle(recipe: Recipe, overrides: dict[str, Any], name: str) -> None:
    """Refuse numbers that change nothing: they are mistakes."""
    neutral = vars(Recipe())
    for switch, limits in SWITCHES.items():
        on = getattr(recipe, switch) > 0
        given = [key for key in limits if overrides.get(key, neutral[key]) != neutral[key]]
        if given and not on:
            raise MedflError(
                f"augmentation.{given[0]} does nothing: {switch} is 0 in the preset {name}. "
                f"Give {switch} too."
            )
        idle = all(getattr(recipe, key) == neutral[key] for key in limits)
        if overrides.get(switch) and idle:
            raise MedflError(
                f"augmentation.{switch} does nothing: {' and '.join(limits)} "
                f"{'is' if len(limits) == 1 else 'are'} neutral in the preset {name}. Give a limit "
                "too."
            )
