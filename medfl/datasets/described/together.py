"""Several modalities of a sample: how they are brought into one frame, as its dataset says it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from medfl.datasets.described.sections import StatedFrames

Together = Literal["frame", "try", "ignore"]
"""``frame``: modalities must lie in one frame; ``try``: they are resampled where they do, and a
remark says where they do not; ``ignore``: they are taken as they are stored."""


def together_of(frames: StatedFrames, fusion: Literal["early", "late"]) -> Together:
    """Channels of one image must show one place; a backbone for each needs no such thing."""
    if frames == "ignore":
        return "ignore"
    return "frame" if fusion == "early" else "try"


def together_note(together: Together, modalities: Sequence[str]) -> str:
    """Say for ``dataset.yaml`` and the card what was done; nothing where there is one modality."""
    if len(modalities) < 2:
        return ""
    if together == "ignore":
        return "Its modalities were stacked as they are stored, wherever their files say they lie."
    apart = "are left out" if together == "frame" else "are each fitted by themselves"
    return (
        f"Modalities that lie in one frame were resampled to the voxels of `{modalities[0]}`. "
        "Volumes of one sample that lie in different frames, or in none and differ in size, "
        f"{apart}; images without a frame were fitted by themselves. Remarks in prepare.json say "
        "which."
    )
