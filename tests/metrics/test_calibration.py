import itertools

import numpy as np
import pytest

from medfl.metrics import expected_calibration_error


def test_perfect_and_hopeless():
    certain = np.ones(4)
    assert expected_calibration_error(certain, np.ones(4, bool)) == 0
    assert expected_calibration_error(certain, np.zeros(4, bool)) == 1


def test_gaps_cancel_inside_a_bin_and_not_between_bins():
    right = np.array([True, False])
    assert expected_calibration_error(np.array([0.5, 0.5]), right) == 0
    # .25 in one bin, was right: .75; .75 in another, was wrong: .75
    assert expected_calibration_error(np.array([0.25, 0.75]), right) == pytest.approx(0.75)


def test_bins_are_closed_above():
    # Two bins: .5 belongs to (0, .5]; were it in [.5, 1], its gap would cancel that of .6.
    confidence, right = np.array([0.5, 0.6]), np.array([True, False])
    assert expected_calibration_error(confidence, right, bins=2) == pytest.approx((0.5 + 0.6) / 2)


def test_against_the_definition_by_masks():
    rng = np.random.default_rng(0)
    confidence, right = rng.random(500), rng.random(500) < 0.6
    edges = np.linspace(0, 1, 16)
    expected = 0.0
    for low, high in itertools.pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            gap = abs(confidence[inside].mean() - right[inside].mean())
            expected += inside.mean() * gap
    assert expected_calibration_error(confidence, right) == pytest.approx(expected)
