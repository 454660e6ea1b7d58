import numpy as np
import pytest
from PIL import Image
from skimage.transform import resize as skimage_resize

from medfl.imaging.images import resize
from medfl.imaging.modality.geometry import crop_borders, fit_to, shrink
from medfl.imaging.pixels import Pixels


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(40, 200, (height, width)).astype(np.float32)


@pytest.mark.parametrize("frame", [0, 255])
def test_frames_are_cut_off_every_side(frame):
    values = np.full((60, 80), frame, np.float32)
    values[10:50, 5:70] = picture(40, 65)
    values[20, 20], values[21, 21] = 0, 255
    cropped = crop_borders(Pixels(values))
    np.testing.assert_array_equal(cropped.values, values[10:50, 5:70])


def test_a_frame_in_a_frame_in_colour_with_a_letter():
    """White around black around the picture; a letter covers less than 2 % of its lines."""
    values = np.full((120, 240, 3), 255, np.float32)
    values[10:110, 10:230] = 3  # JPEG noise
    values[20:100, 20:220] = np.dstack([picture(80, 200, seed) for seed in range(3)])
    values[15, 100:102] = 255
    cropped = crop_borders(Pixels(values, value_range=(0, 255)))
    np.testing.assert_array_equal(cropped.values, values[20:100, 20:220])


def test_evenly_lit_skin_is_no_frame():
    """Red is 255 nearly everywhere, and a line is of one colour; but not of black or white."""
    skin = np.full((40, 50, 3), (255, 170, 160), np.float32)
    skin[15:25, 20:30] = (70, 30, 20)
    assert crop_borders(Pixels(skin, value_range=(0, 255))).values.shape == skin.shape


def test_padding_is_frame_and_goes_with_its_mask():
    values, valid = picture(40, 40), np.ones((40, 40), bool)
    valid[:8] = False
    values[:8] = 133
    cropped = crop_borders(Pixels(values, valid=valid))
    np.testing.assert_array_equal(cropped.values, values[8:])
    assert cropped.valid.all()


def test_an_image_that_is_nothing_but_frame_stays():
    for values in (np.zeros((20, 20), np.float32), np.eye(40, dtype=np.float32)[:, :1] * 9 + 1):
        assert crop_borders(Pixels(values)).values.shape == values.shape
    speck = np.zeros((40, 40), np.float32)
    speck[18:22, 18:22] = picture(4, 4)
    assert crop_borders(Pixels(speck)).values.shape == (40, 40)


def test_a_volume_loses_its_empty_slices():
    values = np.zeros((12, 20, 24), np.float32)
    values[3:9, 2:18, 4:22] = picture(96, 18).reshape(6, 16, 18)
    assert crop_borders(Pixels(values, (1, 1, 1))).values.shape == (6, 16, 18)


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("shape", [(97, 64), (50, 120), (64, 64)])
def test_fit_is_that_of_ordinary_images(fit, shape):
    values = picture(*shape)
    expected = np.asarray(resize(Image.fromarray(values), 32, fit))
    np.testing.assert_allclose(fit_to(values, (1, 1), 32, fit, 0), expected, atol=1e-3)


def test_pixels_become_as_high_as_wide():
    """40 rows of 2 mm by 80 columns of 1 mm are a square: no margin and nothing cut off."""
    bands = np.repeat(np.arange(8, dtype=np.float32), 10)[None].repeat(40, 0)
    for fit in ("crop", "pad"):
        np.testing.assert_allclose(fit_to(bands, (2, 1), 8, fit, -1)[4], np.arange(8), atol=0.2)


def test_margins_of_an_oblong_volume():
    """20 x 40 x 40 voxels of 1 mm to 16: eight slices, with four of margin on either side."""
    cube = fit_to(np.ones((20, 40, 40), np.float32), (1, 1, 1), 16, "pad", -5)
    assert cube.shape == (16, 16, 16)
    np.testing.assert_allclose(cube[4:12], 1, atol=1e-6)
    assert (cube[:4] == -5).all()
    assert (cube[12:] == -5).all()


def test_thick_slices_are_made_isotropic():
    """10 slices of 4 mm are as deep as 40 rows of 1 mm."""
    ramp = np.repeat(np.arange(10, dtype=np.float32), 1600).reshape(10, 40, 40)
    cube = fit_to(ramp, (4, 1, 1), 20, "pad", -5)
    assert (cube >= 0).all()
    np.testing.assert_allclose(cube[2:18, 10, 10], (np.arange(2, 18) + 0.5) / 2 - 0.5, atol=0.01)


def test_a_shrunk_volume_is_averaged_as_scikit_image_does():
    g = np.random.default_rng(0)
    values = g.normal(0, 1, (32, 48, 48)).astype(np.float32)
    ours = fit_to(values, (1.5, 1, 1), 12, "stretch", 0)
    theirs = skimage_resize(values, (12, 12, 12), order=1, anti_aliasing=True)
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.95
    assert ours.std() < 0.25  # noise of 1 is averaged, not picked


def test_shrinking_averages_blocks_without_padding():
    values = np.zeros((16, 16), np.float32)
    values[::2] = 8
    valid = np.ones((16, 16), bool)
    valid[:, 5:] = False
    values[:, 5:] = -3000
    small = shrink(Pixels(values, (0.5, 0.5), valid=valid), 2, "pad")  # by 4
    np.testing.assert_allclose(small.values, [[4, 4, 0, 0]] * 4)
    np.testing.assert_array_equal(small.valid, [[True, True, False, False]] * 4)
    assert small.spacing == (2, 2)


def test_shrinking_leaves_twice_the_wanted_resolution():
    shape = shrink(Pixels(picture(1000, 800)), 64, "crop").values.shape
    assert shape == (167, 134)  # by 6: 800 / 6 = 133.3 > 128
    assert shrink(Pixels(picture(250, 250)), 64, "crop").values.shape == (250, 250)
