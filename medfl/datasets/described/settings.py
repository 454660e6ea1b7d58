"""Choose how the pixels of a description's modalities are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from medfl.datasets.described.facts import Facts
from medfl.datasets.described.schema import Description
from medfl.errors import MedflError
from medfl.imaging.modality import Preprocess, preprocess_for, preset_for


def settings_for(
    data: Description, modalities: Iterable[str], facts: Iterable[Facts], path: Path
) -> tuple[Preprocess, ...]:
    """Choose each modality's settings: its own, the dataset's, or by the DICOM headers."""
    counts = Counter(one.modality for one in facts if one.modality)
    codes = sorted({preset_for(code) for code in counts})
    if not data.modality and len(codes) > 1:
        shown = ", ".join(f"{code} ({number:,})" for code, number in counts.most_common())
        raise MedflError(
            f"{path}: the DICOM files are of several modalities, which are prepared differently: "
            f"{shown}. Say by `modality:` how to prepare them, and leave others out by `files:` or "
            "the table."
        )
    usual = data.modality or (codes[0] if codes else "none")
    return tuple(settings_of(data, name, usual, path) for name in modalities)


def settings_of(data: Description, modality: str, usual: str, path: Path) -> Preprocess:
    """Choose the settings of one modality; ``usual`` is the preset where nothing names one."""
    own = data.modalities.get(modality)
    where = f"{path}: preprocess"
    if own is None:
        return preprocess_for(usual, data.preprocess, where)
    where = f"{path}: modalities.{modality}.preprocess"
    return preprocess_for(own.modality or usual, {**data.preprocess, **own.preprocess}, where)
