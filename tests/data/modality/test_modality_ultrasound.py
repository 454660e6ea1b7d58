import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.signal import wiener

from medfl.data.modality import render, resolve, to_store
from medfl.data.modality.ultrasound import crop_sector, despeckle
from medfl.data.pixels import Pixels
from medfl.errors import MedflError


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
    settings = resolve("ultrasound", {"despeckle": False, "channels": 1})
    assert to_store(pixels, settings, 400).max() == 120
    kept = to_store(pixels, resolve("none", {"channels": 1}), 400)
    assert kept.max() > 200


def test_a_black_picture_stays():
    black = Pixels(np.zeros((30, 30), np.float32), value_range=(0, 255))
    assert render(black, resolve("ultrasound")).shape == (1, 30, 30)


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
        render(volume, resolve("ultrasound"))
