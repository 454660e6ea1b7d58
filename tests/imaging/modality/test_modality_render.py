import sys

import numpy as np
import pytest
from skimage.exposure import equalize_adapthist

from medfl.errors import MedflError
from medfl.imaging.modality import preprocess_for, render, to_store
from medfl.imaging.modality.geometry import fit_to
from medfl.imaging.pixels import Pixels


def head(shape=(64, 64), seed=0):
    """Two tissues in an ellipsoid, with noise. ``values``, and where the brighter one is."""
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"))
    radius = np.sqrt((grid**2).sum(0))
    white = radius < 0.6
    values = np.where(white, 300.0, np.where(radius < 0.85, 180.0, 0.0))
    values += np.abs(np.random.default_rng(seed).normal(0, 3, shape))
    return values.astype(np.float32), white, grid


@pytest.mark.parametrize("shape", [(96, 80), (8, 32, 32)])
def test_n4_takes_a_smooth_bias_out(shape):
    """The variation within one tissue falls by a third at least, and its brightness stays."""
    pytest.importorskip("SimpleITK")
    values, white, grid = head(shape)
    biased = (values * np.exp(0.4 * grid[-1] + 0.25 * grid[-2])).astype(np.float32)
    pixels = Pixels(biased, (1.0,) * len(shape), value_range=(0, 1000))
    settings = preprocess_for("mri", {"intensity": "full"})
    before = render(pixels, settings)[0][white]
    after = render(pixels, settings.model_copy(update={"n4": True}))[0][white]
    assert after.std() / after.mean() < 0.67 * before.std() / before.mean()
    assert 0.8 < after.mean() / before.mean() < 1.25


def test_n4_without_simpleitk(monkeypatch):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(MedflError, match=r"`n4: true` needs SimpleITK: pip install medfl\[n4\]"):
        render(Pixels(head()[0]), preprocess_for("mri", {"n4": True}))


def test_n4_is_for_grey():
    with pytest.raises(MedflError, match="`n4` is for grey images"):
        render(
            Pixels(np.ones((8, 8, 3), np.float32)),
            preprocess_for("mri", {"n4": True, "channels": 3}),
        )


def test_clahe_is_scikit_images_and_leaves_padding_black():
    values = np.random.default_rng(0).gamma(3, 20, (64, 64)).clip(0, 255).astype(np.float32)
    valid = np.ones((64, 64), bool)
    valid[:, 60:] = False
    settings = preprocess_for("xray", {"clahe": True, "clahe_clip": 0.02, "crop_borders": False})
    shown = render(Pixels(values, value_range=(0, 255), valid=valid), settings)[0]
    plain = np.where(valid, values / 255, 0).astype(np.float32)
    expected = equalize_adapthist(plain, kernel_size=8, clip_limit=0.02)
    np.testing.assert_allclose(shown[:, :60], expected[:, :60], atol=1e-5)
    assert (shown[:, 60:] == 0).all()
    assert shown[:, :60].std() > 1.2 * plain[:, :60].std()


def test_clahe_of_a_constant_image():
    flat = Pixels(np.full((16, 16), 51, np.float32), value_range=(0, 255))
    shown = render(flat, preprocess_for("xray", {"clahe": True}))
    np.testing.assert_allclose(shown, 0.2, atol=1e-6)


def test_raw_keeps_hounsfield_units_and_takes_the_lowest_for_margin_and_padding():
    values = np.full((8, 16), -1000, np.float32)
    values[:, 4:12] = 40.4
    valid = np.ones((8, 16), bool)
    values[:, 15], valid[:, 15] = -3024, False
    pixels = Pixels(values, valid=valid)
    stored = to_store(pixels, preprocess_for("ct", {"intensity": "raw", "channels": 1}), 16)
    assert (stored.dtype, stored.shape) == (np.int16, (1, 16, 16))
    np.testing.assert_array_equal(stored[0, 4:12], np.where(values == -3024, -1000, values.round()))
    assert (stored[0, :4] == -1000).all()


def test_raw_of_monochrome1_is_bright_where_dense():
    pixels = Pixels(np.array([[0, 100], [4000, 4095]], np.float32), value_range=(0, 4095))
    settings = preprocess_for("xray", {"intensity": "raw", "crop_borders": False})
    inverted = Pixels(pixels.values, value_range=(0, 4095), inverted=True)
    np.testing.assert_array_equal(render(inverted, settings)[0], [[4095, 3995], [95, 0]])
    np.testing.assert_array_equal(render(pixels, settings)[0], pixels.values)


def test_raw_beyond_16_bits_is_clipped():
    values = np.array([[70000, -70000], [0, 5]], np.float32)
    stored = to_store(
        Pixels(values), preprocess_for("none", {"intensity": "raw", "channels": 1}), 2
    )
    np.testing.assert_array_equal(stored[0], [[32767, -32768], [0, 5]])


def test_a_volume_is_normalised_as_a_whole():
    """Two slices of one tissue at 100 and 300 stay apart."""
    values = head((16, 32, 32))[0]
    values[:8] *= 0.5
    cube = to_store(Pixels(values, (2.0, 1.0, 1.0)), preprocess_for("mri"), 16)
    assert (cube.dtype, cube.shape) == (np.uint8, (1, 16, 16, 16))
    assert cube[0, 10, 8, 8] > cube[0, 5, 8, 8] + 40


def test_storing_a_large_image_is_rendering_and_averaging():
    """Blocks are averaged before the window: the same, but where the window clips."""
    rows, columns = np.mgrid[:512, :512]
    smooth = Pixels((900 * np.sin(rows / 60) * np.cos(columns / 80)).astype(np.float32))
    settings = preprocess_for("ct", {"windows": "soft_tissue"})
    whole = fit_to(render(smooth, settings)[0], (1, 1), 32, "pad", 0) * 255
    difference = np.abs(to_store(smooth, settings, 32)[0] - whole)
    assert difference.max() < 12
    assert difference.mean() < 1


def test_the_input_is_left_as_it_was():
    values = np.random.default_rng(0).uniform(0, 255, (64, 64, 3)).astype(np.float32)
    before = values.copy()
    for name in ("xray", "ultrasound", "dermatoscopy", "mri", "none"):
        to_store(Pixels(values, value_range=(0, 255)), preprocess_for(name), 16)
    np.testing.assert_array_equal(values, before)


def test_real_images_of_each_kind(real_data):
    """Every preset on a picture of its kind uses the range, and is no constant."""
    from medfl.imaging.images import read_pixels

    folders = {
        "mri": "brain-tumor-mri/Testing/glioma_tumor",
        "xray": "chestxray14/images_001/images",
        "dermatoscopy": "ham10000/HAM10000_images_part_1",
        "none": "covid-ct/Images-processed/CT_COVID",
    }
    for name, folder in folders.items():
        for path in sorted((real_data / folder).iterdir())[:5]:
            stored = to_store(read_pixels(path), preprocess_for(name), 64)
            assert stored.shape == (preprocess_for(name).channel_count, 64, 64)
            assert stored.max() > 150
            assert stored.std() > 15
