import numpy as np
import pytest

from medfl.errors import MedflError
from medfl.imaging.modality import preprocess_for, render
from medfl.imaging.modality.intensity import foreground
from medfl.imaging.pixels import Pixels
from medfl.imaging.windows import apply_window


def grey(*rows, **rest):
    return Pixels(np.array(rows, np.float32), **rest)


def test_hounsfield_windows_become_channels():
    """[0, 200] HU and [-100, 100] HU, half a unit off at each end as DICOM has it."""
    hounsfield = grey([-1000, -100, 0, 49.75, 100, 3000])
    shown = render(hounsfield, preprocess_for("ct", {"windows": [[100, 201], [0, 201]]}))
    assert shown.dtype == np.float32
    expected = [[0, 0, 0.0025, 0.25125, 0.5025, 1], [0, 0.0025, 0.5025, 0.75125, 1, 1]]
    np.testing.assert_allclose(shown[:, 0], expected, atol=1e-5)


def test_the_named_windows():
    """Halfway through lung (-600), soft tissue (40) and bone (400): each channel is 0.5 there."""
    shown = render(grey([-600, 40, 400]), preprocess_for("ct"))
    np.testing.assert_allclose(np.diagonal(shown[:, 0]), [0.5, 0.5, 0.5], atol=2e-3)


def test_a_window_on_a_picture_is_refused():
    with pytest.raises(MedflError, match=r"pixel values from 0 to 255.*set `intensity: full`"):
        render(grey([0, 255], value_range=(0, 255)), preprocess_for("ct"))


def test_windows_keep_single_precision_and_agree_with_double():
    values = np.linspace(-1200, 3000, 1001, dtype=np.float32)
    for function in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        single = apply_window(values, 40, 400, function)
        double = apply_window(values.astype(np.float64), 40, 400, function)
        assert (single.dtype, double.dtype) == (np.float32, np.float64)
        np.testing.assert_allclose(single, double, atol=1e-6)


def test_zscore_by_hand():
    """Foreground 100 … 140: median 120, quartiles 110 and 130, deviation 20 / 1.349 = 14.826."""
    values = [0, 0, 0, 0, 100, 110, 120, 130, 140]
    shown = render(grey(values), preprocess_for("mri", {"zscore_limit": 2}))[0, 0]
    # z: eight below, -1.349, -0.6745, 0, 0.6745, 1.349; then from [-2, 2] to [0, 1]
    expected = [0, 0, 0, 0, 0.16275, 0.331375, 0.5, 0.668625, 0.83725]
    np.testing.assert_allclose(shown, expected, atol=1e-5)


def test_zscore_does_not_know_gain_and_offset_of_the_receiver():
    tissue = np.random.default_rng(0).normal(300, 40, (20, 20)).astype(np.float32)
    first = render(Pixels(tissue), preprocess_for("mri"))
    np.testing.assert_allclose(render(Pixels(tissue * 8), preprocess_for("mri")), first, atol=1e-5)


@pytest.mark.parametrize("padding", [-2000.0, 0.0, 60000.0])
@pytest.mark.parametrize("intensity", ["zscore", "percentile", "full", "file"])
def test_padding_has_no_say_and_is_black(padding, intensity):
    tissue = np.random.default_rng(0).normal(300, 40, (20, 20)).astype(np.float32)
    alone = render(Pixels(tissue), preprocess_for("mri", {"intensity": intensity}))
    framed = np.full((30, 30), padding, np.float32)
    valid = np.zeros((30, 30), bool)
    framed[5:25, 5:25], valid[5:25, 5:25] = tissue, True
    shown = render(Pixels(framed, valid=valid), preprocess_for("mri", {"intensity": intensity}))
    np.testing.assert_array_equal(shown[:, 5:25, 5:25], alone)
    assert (shown[0][~valid] == 0).all()


def test_not_finite_counts_as_padding():
    holed = grey([100, 110, np.nan, 120], [130, 140, np.inf, 150])
    shown = render(holed, preprocess_for("none", {"intensity": "full", "channels": 1}))
    expected = [[0, 0.2, 0, 0.4], [0.6, 0.8, 0, 1]]
    np.testing.assert_allclose(shown[0], expected, atol=1e-6)


def test_foreground_keeps_dark_tissue_and_leaves_noise_out():
    """Half the median of what is brighter: of tissue at 100 and 300, half of 100 or of 300."""
    values = np.zeros((10, 10), np.float32)
    values[:] = np.arange(10) % 3  # noise: 0, 1, 2
    values[2:8, 2:8] = 300
    values[4:6, 4:6] = 160
    np.testing.assert_array_equal(foreground(Pixels(values)), values > 100)


def test_percentiles_of_mri_do_not_depend_on_the_air_around():
    """White is the foreground's percentile; black that of all, which is air."""
    tissue = np.linspace(200, 300, 101, dtype=np.float32)
    for air in (101, 900):
        pixels = Pixels(np.concatenate([np.zeros(air, np.float32), tissue])[None])
        settings = preprocess_for("mri", {"intensity": "percentile", "percentiles": [10, 50]})
        shown = render(pixels, settings)[0, 0]
        np.testing.assert_allclose(shown[air], 200 / 250, atol=1e-6)
        assert shown[-51] == 1


@pytest.mark.parametrize("limits", [(10, 90), (0.5, 99.5)])
def test_percentiles_agree_with_numpy(limits):
    values = np.random.default_rng(0).gamma(2, 500, (90, 110)).astype(np.float32)
    low, high = np.percentile(values.astype(np.float64), limits)
    settings = preprocess_for("xray", {"percentiles": list(limits), "crop_borders": False})
    expected = np.clip((values - low) / (high - low), 0, 1)
    np.testing.assert_allclose(render(Pixels(values), settings)[0], expected, atol=1e-5)


def test_what_the_file_asks_for():
    settings = preprocess_for("none", {"channels": 1})
    table = (10, np.array([0.1, 0.7, 0.2], np.float32))
    cases = [
        (grey([0, 50, 150, 200], window=(100, 100, "LINEAR_EXACT")), [0, 0, 1, 1]),
        (grey([0, 51, 102, 255], value_range=(0, 255)), [0, 0.2, 0.4, 1]),
        (grey([-128, -77, 76, 127], value_range=(-128, 127)), [0, 0.2, 0.8, 1]),
        (grey([9, 10, 11, 99], table=table), [0.1, 0.1, 0.7, 0.2]),
    ]
    for pixels, expected in cases:
        np.testing.assert_allclose(render(pixels, settings)[0, 0], expected, atol=1e-6)


def test_monochrome1_is_inverted_and_its_padding_black():
    pixels = grey(
        [0, 51, 255, 7], value_range=(0, 255), inverted=True, valid=np.array([[1, 1, 1, 0]], bool)
    )
    shown = render(pixels, preprocess_for("xray", {"crop_borders": False}))
    np.testing.assert_allclose(shown[0, 0], [1, 0.8, 0, 0], atol=1e-6)


@pytest.mark.parametrize("intensity", ["zscore", "percentile", "full", "file"])
def test_a_constant_image_and_one_all_padding(intensity):
    settings = preprocess_for("mri", {"intensity": intensity})
    for valid in (None, np.zeros((4, 4), bool)):
        shown = render(Pixels(np.full((4, 4), 7, np.float32), valid=valid), settings)
        assert np.isfinite(shown).all()
        assert len(np.unique(shown)) == 1
