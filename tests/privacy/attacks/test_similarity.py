from __future__ import annotations

import math

import numpy as np
import pytest

from medfl.privacy.attacks.similarity import compare, psnr, ssim


def test_psnr_of_a_known_error():
    """An error of 0.1 everywhere: −10 log10 0.01 = 20 dB. Half of it: 6.0206 dB more."""
    image = np.full((1, 8, 8), 0.5)
    assert psnr(image, image + 0.1) == pytest.approx(20.0)
    assert psnr(image, image - 0.05) == pytest.approx(20.0 + 20 * math.log10(2))
    assert psnr(image, image) == math.inf


def test_ssim_of_flat_images_by_hand():
    """No structure: (2 a b + C1) / (a² + b² + C1) with C1 = 0.01², here a = .2, b = .6."""
    a, b = np.full((1, 8, 8), 0.2), np.full((1, 8, 8), 0.6)
    assert ssim(a, b) == pytest.approx((2 * 0.12 + 1e-4) / (0.4 + 1e-4))
    assert ssim(a, a) == pytest.approx(1.0)


def test_ssim_of_a_negative_is_below_zero():
    image = np.random.default_rng(0).uniform(0.2, 0.8, (1, 16, 16))
    assert ssim(image, 1 - image) < -0.5


def test_each_original_gets_a_candidate_of_its_own():
    """Candidate 0 is nearest to both; the better sum pairs 0 with the second original."""
    originals = np.stack([np.full((1, 8, 8), value) for value in (0.2, 0.5)])
    candidates = np.stack([np.full((1, 8, 8), value) for value in (0.45, 0.0)])
    found = compare(originals, candidates)
    assert [one.found[0, 0, 0] for one in found] == [0.0, 0.45]
    assert found[0].psnr == pytest.approx(-10 * math.log10(0.04))


def test_with_too_few_candidates_one_serves_several():
    originals = np.stack([np.full((1, 8, 8), value) for value in (0.2, 0.5)])
    assert [one.found.max() for one in compare(originals, originals[1:])] == [0.5, 0.5]


def test_candidates_are_cut_to_the_range_of_pixels_and_need_not_be_finite():
    original = np.zeros((1, 1, 8, 8))
    wild = np.full((1, 1, 8, 8), -7.0)
    wild[0, 0, 0, 0] = np.nan
    assert compare(original, wild)[0].psnr == math.inf
