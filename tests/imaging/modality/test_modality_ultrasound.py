import numpy as np
import pytest
from PIL import Image, ImageDraw
from pydicom.data import get_testdata_file
from scipy.signal import wiener

from medfl.errors import MedflError
from medfl.imaging.dicom import DicomPreprocessor
from medfl.imaging.modality import preprocess_for, render, to_store
from medfl.imaging.modality.ultrasound import crop_sector, despeckle
from medfl.imaging.pixels import Pixels
from medfl.imaging.remarks import collecting


def fan():
    """A fan with an echo-free hole, words and a depth scale; what of it is the fan's."""
    rows, columns = np.mgrid[:300, :400]
    radius = np.hypot(rows - 20, columns - 210)
    angle = np.abs(np.arctan2(columns - 210, rows - 20))
    inside = (radius > 20) & (radius < 260) & (angle < 0.6)
    values = np.where(inside, 120.0, 0.0)
    values[np.hypot(rows - 180, columns - 215) < 25] = 0
    image = Image.fromarray(values.astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.text((5, 5), "HOSPITAL 12:30", fill=255, font_size=18)
    draw.text((300, 10), "MI 1.2", fill=255, font_size=18)
    draw.line((390, 20, 390, 290), fill=255)
    return np.asarray(image).astype(np.float32), inside


@pytest.mark.parametrize("colour", [False, True])
def test_the_fan_is_cut_out(colour):
    values, inside = fan()
    pixels = Pixels(np.repeat(values[..., None], 3, 2) if colour else values)
    cropped = crop_sector(pixels)
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    height, width = cropped.values.shape[:2]
    assert abs(height - (rows[-1] - rows[0] + 1)) <= 8
    assert abs(width - (columns[-1] - columns[0] + 1)) <= 8
    shown = np.where(cropped.valid, cropped.values.reshape(height, width, -1)[..., 0], 0)
    assert shown.max() == 120  # the words were of 255
    lost = inside[inside.any(1)][:, inside.any(0)].sum() - cropped.valid.sum()
    assert abs(lost) < 0.05 * inside.sum()  # the hole is the fan's


def test_the_words_do_not_reach_the_store():
    values, _ = fan()
    pixels = Pixels(values, value_range=(0, 255))
    settings = preprocess_for("ultrasound", {"despeckle": False, "channels": 1})
    assert to_store(pixels, settings, 400).max() == 120
    kept = to_store(pixels, preprocess_for("none", {"channels": 1}), 400)
    assert kept.max() > 200


def test_a_banner_larger_than_the_fan_is_not_taken_for_it():
    values, inside = fan()
    values[inside] += np.random.default_rng(0).normal(0, 8, inside.sum())
    values[130:] = 0
    values[140:] = 90  # 64,000 pixels of one tone
    inside[130:] = False
    cropped = crop_sector(Pixels(values, value_range=(0, 255)))
    assert cropped.values.shape[0] == pytest.approx(inside.any(axis=1).sum(), abs=6)
    assert cropped.values.shape[1] == pytest.approx(inside.any(axis=0).sum(), abs=6)
    # Its hull, in steps of 3 pixels.
    assert cropped.valid.sum() == pytest.approx(inside.sum(), rel=0.12)


def speckle(shape, low, high, seed=0):
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def cropped_with(pixels):
    with collecting() as remarks:
        return crop_sector(pixels), remarks


def test_the_field_is_what_the_header_states():
    """To the pixel: not what of it looks like a fan, and both pictures of a pair."""
    values = np.zeros((100, 200), np.float32)
    values[10:90, 10:90] = speckle((80, 80), 50, 200)
    values[10:90, 110:150] = speckle((80, 40), 50, 200, 1)
    assert crop_sector(Pixels(values)).values.shape == (80, 140)
    cropped, remarks = cropped_with(Pixels(values, regions=((5, 95, 100, 170),)))
    assert cropped.values.shape == (90, 70)
    assert cropped.valid.all()
    assert cropped.regions == ()
    assert remarks == ["67% of what is not black was cut off with what lies beside the fan"]
    cropped, remarks = cropped_with(Pixels(values, regions=((5, 95, 0, 95), (20, 60, 105, 155))))
    assert cropped.values.shape == (90, 155)
    assert cropped.valid.sum() == 90 * 95 + 40 * 50
    assert remarks == ["17% of what is not black was cut off with what lies beside the fan"]


@pytest.mark.parametrize("first", [20, 110, 180])
@pytest.mark.parametrize("across", [False, True])
def test_what_lies_behind_a_dark_lesion_as_wide_as_the_picture_stays(first, across):
    values = speckle((256, 200), 60, 140)
    values[first : first + 50] = speckle((50, 200), 0, 3)
    values[first + 50 :] = speckle((206 - first, 200), 150, 220)
    values = values.T if across else values
    cropped, remarks = cropped_with(Pixels(np.ascontiguousarray(values), value_range=(0, 255)))
    assert cropped.values.shape[across] == 256
    assert remarks == []


@pytest.mark.parametrize("grey", [(5, 9), (12, 60)])
def test_a_doppler_box_is_not_all_of_the_picture(grey):
    values = np.repeat(speckle((240, 320, 1), *grey), 3, axis=2)
    values[:, :30] = 0
    values[80:160, 100:200, 0] = speckle((80, 100), 150, 255)
    cropped, remarks = cropped_with(Pixels(values, value_range=(0, 255)))
    assert cropped.values.shape[:2] == (240, 290)
    assert remarks == []


def test_what_is_cut_off_is_remarked_beyond_a_tenth():
    values = speckle((200, 200), 60, 140)
    values[150:] = 0
    values[170:180, 20:] = speckle((10, 180), 60, 140)  # as thin as a bar, so it may be one
    values[186:196, 20:] = speckle((10, 180), 60, 140)
    cropped, remarks = cropped_with(Pixels(values, value_range=(0, 255)))
    assert cropped.values.shape[0] < 156
    share = 3600 / (150 * 200 + 3600)
    assert remarks == [
        f"{share:.0%} of what is not black was cut off with what lies beside the fan"
    ]
    values[186:196] = 0
    assert cropped_with(Pixels(values, value_range=(0, 255)))[1] == []


def test_a_real_fan_under_a_large_banner():
    """By eye: the fan's echoes are between rows 66 and 160, and columns 325 and 600."""
    pixels = DicomPreprocessor().pixels(get_testdata_file("examples_palette.dcm"))
    assert pixels.regions == ()  # the picture was cut after its header was written
    cropped = crop_sector(pixels)
    height, width = cropped.values.shape[:2]
    assert 70 <= height <= 100
    assert 230 <= width <= 280
    part = pixels.values[60:165, 320:605]
    shown = np.lib.stride_tricks.sliding_window_view(part, cropped.values.shape)
    assert (shown == cropped.values).all(axis=(-3, -2, -1)).any()


def test_a_black_picture_stays():
    black = Pixels(np.zeros((30, 30), np.float32), value_range=(0, 255))
    assert render(black, preprocess_for("ultrasound")).shape == (1, 30, 30)


def test_lees_filter_is_scipys_wiener_filter():
    """The same formula; away from the border, which SciPy takes for black."""
    values = np.random.default_rng(0).normal(100, 20, (60, 70)).astype(np.float32)
    values[:, 35:] += 90
    ours = despeckle(values, None, 5)
    noise = np.var(
        np.lib.stride_tricks.sliding_window_view(np.pad(values, 2, "edge"), (5, 5)), (2, 3)
    )
    theirs = wiener(values.astype(np.float64), 5, noise.mean())
    np.testing.assert_allclose(ours[3:-3, 3:-3], theirs[3:-3, 3:-3], atol=0.05)


def test_speckle_falls_and_an_edge_stays():
    g = np.random.default_rng(0)
    values = np.where(np.arange(80) < 40, 60, 180) + g.normal(0, 10, (80, 80))
    smooth = despeckle(values.astype(np.float32), None, 5)
    assert smooth[:, :35].std() < 0.5 * values[:, :35].std()
    assert (smooth[:, 40] - smooth[:, 39]).mean() > 0.8 * (values[:, 40] - values[:, 39]).mean()


def test_it_is_for_images():
    volume = Pixels(np.ones((4, 8, 8), np.float32), (1, 1, 1))
    with pytest.raises(MedflError, match="`sector_crop` is for images, and this is a volume"):
        render(volume, preprocess_for("ultrasound"))


def test_a_thin_far_wall_that_is_cut_off_is_remarked():
    """60 pixels near the probe, then a cyst, then a wall of 8, which is too thin to be kept."""
    rows, columns = np.mgrid[:480, :640]
    radius = np.hypot(rows - 40, columns - 320)
    inside = (np.abs(np.arctan2(columns - 320, rows - 40)) < np.radians(38)) & (radius > 30)
    seen = inside & ((radius < 90) | ((radius > 392) & (radius < 400)))
    values = np.where(seen, speckle(seen.shape, 60, 140), 0)
    cropped, remarks = cropped_with(Pixels(values, value_range=(0, 255)))
    assert cropped.values.shape[0] < 80
    near, wall = 90**2 - 30**2, 400**2 - 392**2  # areas, by the same angle
    share = int(remarks[0].split("%")[0]) / 100
    assert share == pytest.approx(wall / (near + wall), abs=0.02)
    assert remarks[0].endswith("of what is not black was cut off with what lies beside the fan")


def test_regions_of_a_header_that_hold_nothing_are_not_believed():
    values = np.zeros((100, 200), np.float32)
    values[10:90, 10:90] = speckle((80, 80), 50, 200)
    cropped, remarks = cropped_with(Pixels(values, regions=((20, 60, 110, 190),)))
    assert cropped.values.shape == (80, 80)
    assert remarks == ["its header's regions hold nothing of the picture: the fan was sought in it"]
