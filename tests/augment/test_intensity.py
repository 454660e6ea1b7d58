"""Tone, colour, stain, coils, blur and noise against values from elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from medfl.augment import noise
from medfl.augment.draws import Draws
from medfl.augment.intensity import DYES, bias_field, colour, curve, per_sample, restain
from medfl.augment.presets import Recipe
from medfl.augment.resolution import along_each_axis, blurring, coarsening, soften


def images(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_a_curve_by_hand():
    picture = torch.tensor([[[[0.0, 0.2], [0.4, 0.6]]]], dtype=torch.float64)  # mean 0.3
    bright = curve(picture, numbers(1.5), None, numbers(1.0))
    assert bright.flatten().tolist() == pytest.approx([0, 0.3, 0.6, 0.9])
    steep = curve(picture, numbers(1.0), numbers(2.0), numbers(1.0))  # 0.3 + 2(x − 0.3), clipped
    assert steep.flatten().tolist() == pytest.approx([0, 0.1, 0.5, 0.9])
    dark = curve(picture, numbers(1.0), None, numbers(2.0))
    assert dark.flatten().tolist() == pytest.approx([0, 0.04, 0.16, 0.36])
    both = curve(picture, numbers(1.5), numbers(2.0), numbers(1.0))  # 0.45 + 2(1.5x − 0.45)
    assert both.flatten().tolist() == pytest.approx([0, 0.15, 0.75, 1.0])


def test_each_sample_has_its_own_curve():
    picture = torch.full((2, 1, 2, 2), 0.25, dtype=torch.float64)
    found = curve(picture, numbers(1.0, 2.0), None, numbers(0.5, 1.0))
    assert found[:, 0, 0, 0].tolist() == pytest.approx([0.5, 0.5])
    found = curve(picture, numbers(1.0, 2.0), None, numbers(0.5, 3.0))
    assert found[:, 0, 0, 0].tolist() == pytest.approx([0.5, 0.125])


def test_black_stays_black_under_brightness_and_gamma():
    black = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    assert float(curve(black, numbers(1.3), None, numbers(0.6)).max()) == 0


def test_dyes_are_skimages():
    from skimage.color import rgb_from_hed

    assert np.array_equal(np.array(DYES), rgb_from_hed)


def test_stain_is_skimages_separation_with_other_amounts():
    from skimage.color import hed_from_rgb, rgb_from_hed

    picture = 0.05 + 0.9 * images(2, 3, 4, 5)
    amounts = numbers(1.2, 0.9, 1.0, 0.8, 1.1, 1.05).view(2, 3)
    density = -np.log(picture.numpy().transpose(0, 2, 3, 1))
    changed = (density @ hed_from_rgb) * amounts.numpy()[:, None, None, :] @ rgb_from_hed
    expected = np.exp(-changed).transpose(0, 3, 1, 2)
    assert restain(picture, amounts).numpy() == pytest.approx(expected, abs=1e-10)
    white = torch.ones(1, 3, 2, 2, dtype=torch.float64)
    assert restain(white, amounts[:1]).numpy() == pytest.approx(1), "bare glass takes no stain"
    same = restain(picture, torch.ones(2, 3, dtype=torch.float64))
    assert same.numpy() == pytest.approx(picture.numpy(), abs=1e-10)


def test_colour_changes_channels_and_saturation_only_within_its_limits():
    grey = torch.full((400, 3, 2, 2), 0.5, dtype=torch.float64)
    before = grey.clone()
    colour(grey, Recipe(colour_probability=1, colour=0.1), Draws(400, torch.Generator()))
    ratio = grey / before
    # gains within 0.9 and 1.1, then as much as 1.1 times as far from their mean
    assert float(ratio.min()) > 0.85
    assert float(ratio.max()) < 1.15
    assert float((ratio.amax(1) - ratio.amin(1)).mean()) > 0.05, "channels differ"
    assert torch.equal(grey[:, :, 0, 0], grey[:, :, 1, 1]), "the same everywhere in an image"


@pytest.mark.parametrize("shape", [(1, 24, 20), (2, 10, 12, 14)])
def test_a_bias_field_is_smooth_positive_and_shared_by_channels(shape):
    flat = torch.full((6, *shape), 0.4, dtype=torch.float64)
    bias_field(flat, Recipe(bias_field_probability=1, bias_field=0.3), Draws(6, torch.Generator()))
    field = flat.numpy() / 0.4
    assert field.min() >= math.exp(-0.3)
    assert field.max() <= math.exp(0.3)
    assert (field == field[:, :1]).all()
    for axis in range(2, field.ndim):
        # The derivative of a cubic B-spline is at most the largest step between its nodes.
        step = 2 * 0.3 * 4 / shape[axis - 1]
        assert np.abs(np.diff(np.log(field), axis=axis)).max() <= step + 1e-9
    assert np.std(field, axis=tuple(range(1, field.ndim))).min() > 0
    assert len(np.unique(field[:, 0].reshape(6, -1)[:, 0])) == 6, "each sample has its own"


@pytest.mark.parametrize("shape", [(15, 15), (12, 18), (9, 9, 12)])
def test_blur_is_scipys_inside_the_image(shape):
    picture, deviation = images(2, 2, *shape), numbers(0.5, 0.9)
    matrices = [blurring(size, deviation) for size in shape]
    found = along_each_axis(picture, matrices).numpy()
    for k in range(2):
        for c in range(2):
            expected = ndimage.gaussian_filter(picture[k, c].numpy(), float(deviation[k]), radius=4)
            inner = (slice(4, -4),) * len(shape)
            assert found[k, c][inner] == pytest.approx(expected[inner], abs=1e-4)
    flat = torch.ones(2, 1, *shape, dtype=torch.float64)
    assert along_each_axis(flat, matrices).numpy() == pytest.approx(1), "no dark rim"


def test_a_blur_of_nothing_is_nothing():
    assert torch.equal(blurring(7, numbers(0.0))[0], torch.eye(7, dtype=torch.float64))
    assert torch.equal(coarsening(7, 7), torch.eye(7, dtype=torch.float64))
    picture = images(2, 1, 6, 6)
    before = picture.clone()
    soften(picture, Recipe(), Draws(2, torch.Generator()))
    assert torch.equal(picture, before)


def test_low_resolution_by_hand():
    line = torch.tensor([0.0, 2.0, 4.0, 6.0, 10.0, 10.0], dtype=torch.float64)
    # pairs average to 1, 5, 10; between their centres (½, 2½, 4½) it is linear
    assert (coarsening(6, 3) @ line).tolist() == pytest.approx([1, 2, 4, 6.25, 8.75, 10])


def deviation_of(kind, grey, deviation, pixels=40_000):
    picture = torch.full((1, 1, 200, pixels // 200), grey, dtype=torch.float64)
    generator = torch.Generator().manual_seed(3)
    return noise.KINDS[kind](picture, per_sample(numbers(deviation), picture), generator).numpy()


# The relative standard error of a deviation from n numbers is 1/√(2n): 0.35 % of 40,000.
@pytest.mark.parametrize(
    ("kind", "grey", "expected"),
    [
        ("gaussian", 0.5, 0.02),
        ("gaussian", 0.9, 0.02),
        ("speckle", 0.5, 0.01),
        ("speckle", 0.25, 0.005),
        ("poisson", 0.5, 0.02),
    ],
)
def test_the_deviation_of_noise(kind, grey, expected):
    found = deviation_of(kind, grey, 0.02)
    assert found.std() == pytest.approx(expected, rel=0.02)
    assert found.mean() == pytest.approx(grey, abs=5 * expected / 200)


def test_quantum_noise_is_that_of_counted_photons():
    """Count real Poisson photons behind a logarithm, and compare the deviation at each grey."""
    mid, random = 0.02, np.random.default_rng(0)
    depth = noise.DEPTH
    # At mid-grey the deviation of the grey is 1/(k·√(N e^{−k/2})).
    photons = math.exp(depth / 2) / (mid * depth) ** 2
    for grey in (0.1, 0.5, 0.9):
        counts = random.poisson(photons * math.exp(-depth * grey), 40_000)
        expected = (-np.log(counts / photons) / depth).std()
        assert deviation_of("poisson", grey, mid).std() == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("grey", [0.0, 0.02, 0.3])
def test_rician_noise_has_rices_mean_and_deviation(grey):
    found, law = deviation_of("rician", grey, 0.02), stats.rice(grey / 0.02, scale=0.02)
    assert found.mean() == pytest.approx(law.mean(), abs=5 * law.std() / 200)
    assert found.std() == pytest.approx(law.std(), rel=0.02)
    if grey == 0:  # Rayleigh
        assert law.mean() == pytest.approx(0.02 * math.sqrt(math.pi / 2))


def test_what_was_clipped_shows_no_noise():
    picture = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64).expand(1, 1, 200, 3)
    for kind in ("gaussian", "poisson"):
        found = noise.KINDS[kind](picture, per_sample(numbers(0.05), picture), torch.Generator())
        assert torch.equal(found[..., 0], picture[..., 0])
        assert torch.equal(found[..., 2], picture[..., 2])
        assert float(found[..., 1].std()) > 0.03
