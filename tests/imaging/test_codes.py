"""The table of DICOM's codes against the presets, the catalog and the standard's own words."""

from __future__ import annotations

import pytest

from medfl.datasets.registry import DATASETS
from medfl.imaging.codes import CODES, OTHER, dicom_code, meaning_of
from medfl.imaging.modality import PRESETS


def test_every_code_names_presets_that_exist():
    assert {meaning.preprocessing for meaning in CODES.values()} <= set(PRESETS)


@pytest.mark.parametrize("preset", sorted(set(PRESETS) - {"none"}))
def test_the_code_of_a_preset_means_that_preset(preset):
    assert CODES[dicom_code(preset)].preprocessing == preset


def test_what_no_code_names_is_other():
    assert dicom_code("none") == dicom_code("my own") == OTHER == "OT"
    assert meaning_of("OT") is None


def test_the_codes_of_the_catalog_are_known():
    entries = {name: DATASETS.load(name) for name in DATASETS}
    unknown = {name for name, entry in entries.items() if meaning_of(entry.modality) is None}
    assert unknown == {"synapsemnist3d"}  # electron microscopy, for which DICOM has no code
    assert entries["synapsemnist3d"].modality == OTHER


@pytest.mark.parametrize(
    ("code", "word"),
    [("XC", "photography"), ("DMS", "dermoscopy"), ("OPT", "tomography"), ("OP", "photography")],
)
def test_the_words_are_the_standards(code, word):
    """PS3.3 C.7.3.1.1.1 calls them so; XC is no dermatoscope."""
    assert word in CODES[code].words
