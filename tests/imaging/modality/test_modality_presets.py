import numpy as np
import pytest
import yaml

from medfl.errors import MedflError
from medfl.imaging.modality import PRESETS, preprocess_for, preset_for, render
from medfl.imaging.pixels import Pixels


@pytest.mark.parametrize(
    ("code", "preset"),
    [("CT", "ct"), ("MR", "mri"), ("US", "ultrasound"), ("XC", "photo"), ("DMS", "dermatoscopy")]
    + [(code, "xray") for code in ("CR", "DX", "DR", "MG", " dx ")]
    + [("PT", "none"), ("", "none")],
)
def test_dicom_codes(code, preset):
    assert preset_for(code) == preset


def test_every_preset_carries_its_name_and_counts_its_channels():
    grey = Pixels(np.linspace(-1000, 1000, 256, dtype=np.float32).reshape(16, 16))
    for name, preset in PRESETS.items():
        assert preset.modality == name
        assert render(grey, preset).shape == (preset.channel_count, 16, 16)


def test_overrides_as_read_from_yaml():
    text = "{windows: [lung, [50, 100]], fit: crop, n4: true}"
    settings = preprocess_for("ct", yaml.safe_load(text))
    assert settings.windows == ("lung", (50.0, 100.0))
    assert (settings.fit, settings.n4, settings.channel_count) == ("crop", True, 2)
    assert settings.intensity == "window"  # of the preset


@pytest.mark.parametrize(
    ("windows", "expected"),
    [("bone", ("bone",)), ([40, 400], ((40.0, 400.0),)), ([[1, 2], [3, 4]], ((1, 2), (3, 4)))],
)
def test_a_lone_window_needs_no_brackets(windows, expected):
    assert preprocess_for("ct", {"windows": windows}).windows == expected


def test_the_modality_itself_can_be_overridden():
    assert preprocess_for("none", {"modality": "mri"}) == PRESETS["mri"]


@pytest.mark.parametrize(
    ("word", "preset"),
    [("CT", "ct"), ("MR", "mri"), ("MRI", "mri"), ("DX", "xray"), (" us ", "ultrasound")],
)
def test_a_modality_may_be_written_as_dicom_does(word, preset):
    assert preprocess_for(word) == PRESETS[preset]


@pytest.mark.parametrize(
    ("modality", "overrides", "message"),
    [
        ("ct", {"window": "lung"}, r"site\.yaml: unknown key `window`; did you mean `windows`\?"),
        ("mrt", {}, r"site\.yaml: unknown modality `mrt`; did you mean `mri`\?"),
        ("ct", {"windows": ["lungs"]}, r"unknown window `lungs`; did you mean `lung`\?"),
        ("ct", {"windows": [[40, 0]]}, "width of the window must be positive, not 0"),
        ("ct", {"windows": [[40, float("inf")]]}, "finite number"),
        ("ct", {"windows": [[float("nan"), 400]]}, "finite number"),
        ("mri", {"zscore_limit": float("inf")}, "finite number"),
        ("ct", {"windows": []}, "at least 1 item"),
        ("ct", {"windows": ["lung", "bone"], "channels": 3}, "2 windows give 2 channels, not 3"),
        ("mri", {"percentiles": [99, 1]}, "write two that rise"),
        ("xray", {"intensity": "raw", "clahe": True}, "`clahe` would change the raw units"),
        ("xray", {"fit": "squash"}, "`fit`"),
    ],
)
def test_mistakes(modality, overrides, message):
    with pytest.raises(MedflError, match=message):
        preprocess_for(modality, overrides, "site.yaml")
