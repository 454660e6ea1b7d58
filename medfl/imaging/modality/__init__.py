"""What to do with the pixels of each kind of scanner before a network sees them.

``presets.py`` holds the settings, ``render.py`` the order in which they are carried out, and the
other files one concern each.
"""

from medfl.imaging.modality.presets import (
    PRESETS,
    Preprocess,
    preprocess_for,
    preset_for,
    preset_name,
)
from medfl.imaging.modality.render import least_side, render, to_store

__all__ = [
    "PRESETS",
    "Preprocess",
    "least_side",
    "preprocess_for",
    "preset_for",
    "preset_name",
    "render",
    "to_store",
]
