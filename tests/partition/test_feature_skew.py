"""Noise and scanners by client."""

import numpy as np
import pytest
from scipy import ndimage

from medfl.errors import MedflError
from medfl.partition import client_transform
from medfl.partition.feature import Scanner, _blur, _resample


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.random((12, 3, 32, 40)), (0, 0, 2, 2))
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    return (40 + 160 * smooth).astype(np.uint8)


@pytest.mark.parametrize("client", [0, 1, 4])
def test_noise_is_a_standard_deviation_that_grows_to_the_last_client(client):
    """Level 0.1, 5 clients: 0.02 for the first, 0.1 (not 0.08, not its root) for the last."""
    grey = np.full((1, 1, 160, 160), 128, np.uint8)
    seen = client_transform("noise-0.1", client, 5, 0)(grey)
    noise = seen / 255 - 128 / 255
    # Rounding to whole grey levels adds a variance of 1/12 of a level squared.
    expected = np.sqrt((0.1 * (client + 1) / 5) ** 2 + 1 / 12 / 255**2)
    assert noise.std() == pytest.approx(expected, rel=0.02)
    assert abs(noise.mean()) < 4 * expected / np.sqrt(noise.size)


def test_noise_differs_between_clients_seeds_and_images(images):
    one, other = (client_transform("noise-0.2", 1, 4, seed)(images) for seed in (0, 1))
    assert (one != other).mean() > 0.9
    twice = client_transform("noise-0.2", 1, 4, 0)(np.stack([images[0], images[0] + 1]))
    assert (twice[0] != twice[1] - 1).mean() > 0.9


@pytest.mark.parametrize("word", ["noise-0.2", "scanner-0.7"])
def test_a_transform_is_a_pure_function_of_each_image(images, word):
    before = images.copy()
    whole = client_transform(word, 2, 4, 0)(images)
    again = client_transform(word, 2, 4, 0)
    np.testing.assert_array_equal(images, before)
    assert whole.dtype == np.uint8
    assert whole.shape == images.shape
    for row in (7, 3):
        np.testing.assert_array_equal(again(images[row : row + 1])[0], whole[row])


@pytest.mark.parametrize("word", ["noise-0", "scanner-0"])
def test_strength_zero_changes_nothing(images, word):
    for client in range(3):
        np.testing.assert_array_equal(client_transform(word, client, 3, 0)(images), images)


def test_scanners_differ_by_client_and_grow_with_strength(images):
    def change(word, client):
        seen = client_transform(word, client, 6, 0)(images)
        return np.abs(seen.astype(float) - images).mean()

    for client in range(6):
        weak, middle, strong = (change(f"scanner-{s}", client) for s in (0.1, 0.5, 1.5))
        assert 0 < weak < middle < strong
    seen = [client_transform("scanner-0.5", client, 6, 0)(images) for client in range(6)]
    assert all((seen[i] != seen[i + 1]).mean() > 0.5 for i in range(5))


def test_gain_bias_and_gamma_by_hand():
    grey = np.full((1, 1, 4, 4), 51, np.uint8)  # 0.2
    assert (Scanner(0, 1, (0, 0, 0, 0), 1.4, 1)(grey) == round(0.28 * 255)).all()
    assert (Scanner(0, 1, (0, 0, 0, 0), 1, 2)(grey) == round(0.04 * 255)).all()
    seen = Scanner(0, 1, (0.5, 0, 0, 0), 1, 1)(grey)[0, 0]
    rows = 0.2 * np.exp(0.5 * np.cos(np.pi * np.array([1, 3, 5, 7]) / 8))
    np.testing.assert_array_equal(seen, np.round(rows * 255)[:, None] * np.ones(4))


def test_blur_is_scipys_gaussian_with_mirrored_edges():
    signal = np.random.default_rng(1).random((20, 5))
    for deviation in (0.4, 1.3, 3.0):
        expected = ndimage.gaussian_filter1d(signal, deviation, axis=0, mode="reflect", truncate=5)
        assert _blur(20, deviation) @ signal == pytest.approx(expected, abs=1e-4)
    # It reaches 4 deviations far and one pixel more, on either side.
    assert np.count_nonzero(_blur(60, 2.0)[30]) == 2 * 9 + 1


def test_resolution_loss_averages_pixels():
    np.testing.assert_array_equal(_resample(2, 2.0), np.full((2, 2), 0.5))
    halved = _resample(8, 2.0)
    assert halved.sum(1) == pytest.approx(1)
    ramp = np.arange(8.0)
    # Pairs average to 0.5, 2.5, 4.5, 6.5 and are interpolated back, flat beyond the outer ones.
    assert halved @ ramp == pytest.approx([0.5, 1, 2, 3, 4, 5, 6, 6.5])
    checker = np.arange(8) % 2
    assert halved @ checker == pytest.approx(0.5)
    for size, coarseness in ((7, 1.3), (28, 4.9), (3, 5.0), (1, 3.0)):
        assert _resample(size, coarseness).sum(1) == pytest.approx(1)


def test_other_schemes_leave_images_alone():
    assert client_transform("dirichlet-0.5", 0, 3, 0) is None
    assert client_transform("site", 0, 3, 0) is None
    with pytest.raises(MedflError, match="client 3 is not one of 0 to 2"):
        client_transform("noise-0.1", 3, 3, 0)


def test_a_volume_is_seen_slice_by_slice(images):
    """(n, C, D, H, W) through a scanner gives what its slices give as images."""
    volumes = np.stack([images, images[::-1]], axis=2)
    see = client_transform("scanner-0.7", 1, 3, 0)
    np.testing.assert_array_equal(see(volumes)[:, :, 0], see(images))
    np.testing.assert_array_equal(see(volumes)[:, :, 1], see(images[::-1].copy()))


@pytest.mark.parametrize("word", ["noise-0.1", "scanner-0.7"])
def test_16_bits_have_the_range_of_each_image(images, word):
    """Stretching an image's range 16-fold, with an offset, stretches what is seen of it alike."""
    whole = images[:, :1].copy()
    whole[:, 0, 0, :2] = 0, 255  # then the range is that of 8 bits
    wide = whole.astype(np.int16) * 16 - 1000
    see = client_transform(word, 1, 3, 0)
    assert see(wide).dtype == np.int16
    assert see(wide).min() >= -1000
    if word == "scanner-0.7":  # noise depends on the content's bytes
        np.testing.assert_allclose((see(wide) + 1000) / 16, see(whole), atol=0.54)
    else:
        spread = (see(wide) - wide.astype(int))[:, :, 2:].std()
        assert spread == pytest.approx(0.1 * 2 / 3 * 16 * 255, rel=0.05)


def test_two_neighbouring_levels_of_16_bits_are_a_whole_range():
    """7 is 0 and 8 is 1: brighter by 1.6 is cut at 1, and 1 to any power is 1."""
    image = np.array([7, 8, 8, 7], np.int16).reshape(1, 1, 2, 2)
    for gain, gamma in ((1.6, 1), (1, 4)):
        seen = Scanner(0, 1, (0, 0, 0, 0), gain, gamma)(image)
        assert seen.tolist() == image.tolist()


def test_16_bit_intensities_are_compared_over_their_own_range(tmp_path):
    """Two clients of constant images, far apart in Hounsfield units: the distance is 1."""
    from medfl.partition.heterogeneity import _levels
    from medfl.store import DatasetInfo, Sample, write_store

    rows = [Sample(f"s{k}", ("a",), f"g{k}") for k in range(4)]
    images = np.full((4, 1, 8, 8), -600, np.int16)
    images[2:] = 400
    info = DatasetInfo("t", "T", ("a", "b"), "multiclass", "CT", True, "", "")
    store = write_store(tmp_path / "s", info, rows, images)
    # mean -100, deviation 500: the range is -2100 to 1900, a level 15.625 units.
    assert set(_levels(images[:1], store)) == {96}
    assert set(_levels(images[2:], store)) == {160}
