import numpy as np
import pytest
from PIL import Image

from medfl.imaging.modality import preprocess_for, render, to_store
from medfl.imaging.modality.colour import constant_colour, luminance
from medfl.imaging.pixels import Pixels


def two(first, second):
    return np.array([[first, second]], np.float32)


def test_grey_world_on_two_pixels():
    """Means 100, 50, 200; their root mean square is 132.288, so gains 1.323, 2.646, 0.661."""
    corrected = constant_colour(two((150, 60, 240), (50, 40, 160)), "grey_world")
    expected = two((198.43, 158.75, 158.75), (66.14, 105.83, 105.83))
    np.testing.assert_allclose(corrected, expected, atol=0.01)


def test_shades_of_grey_on_two_pixels():
    """((a^6 + b^6) / 2)^(1/6) is 178.19, 89.10 and 178.19 for these, the gains 0.866, 1.732."""
    corrected = constant_colour(two((200, 100, 0), (0, 0, 200)), "shades_of_grey")
    expected = two((173.205, 173.205, 0), (0, 0, 173.205))
    np.testing.assert_allclose(corrected, expected, atol=0.01)


@pytest.mark.parametrize("method", ["grey_world", "shades_of_grey"])
def test_a_tint_is_taken_out_and_grey_stays(method):
    grey = np.random.default_rng(0).uniform(20, 200, (9, 9, 1)).astype(np.float32).repeat(3, 2)
    np.testing.assert_allclose(constant_colour(grey, method), grey, rtol=1e-4)
    tinted = constant_colour(grey * np.array([1.2, 0.9, 0.8], np.float32), method)
    np.testing.assert_allclose(tinted[..., 0], tinted[..., 1], rtol=1e-4)
    np.testing.assert_allclose(tinted[..., 2], tinted[..., 1], rtol=1e-4)


def test_a_black_channel_and_a_black_picture_stay():
    for values in (two((90, 0, 20), (30, 0, 10)), np.zeros((4, 4, 3), np.float32)):
        np.testing.assert_array_equal(constant_colour(values, "shades_of_grey"), values)


def test_luminance_is_pillows():
    rgb = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    ours = luminance(Pixels(rgb.astype(np.float32))).values
    np.testing.assert_allclose(ours, np.asarray(Image.fromarray(rgb).convert("L")), atol=1)


def test_channels():
    rgb = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.float32)
    colour = Pixels(rgb, value_range=(0, 255))
    three = to_store(colour, preprocess_for("photo"), 8)
    np.testing.assert_array_equal(three, rgb.transpose(2, 0, 1))
    one = render(colour, preprocess_for("photo", {"channels": 1}))
    np.testing.assert_allclose(one[0], rgb @ [0.299, 0.587, 0.114] / 255, atol=1e-6)
    repeated = to_store(Pixels(rgb[..., 0], value_range=(0, 255)), preprocess_for("photo"), 8)
    np.testing.assert_array_equal(repeated, rgb[..., 0][None].repeat(3, 0))
