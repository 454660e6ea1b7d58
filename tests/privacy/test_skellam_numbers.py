"""Poisson and Skellam numbers, and the privacy of the noise that they make."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln, logsumexp

from medfl.privacy.accounting import (
    gaussian_epsilon,
    skellam_divergence,
    skellam_epsilon,
    skellam_tail,
)
from medfl.privacy.skellam import poisson_numbers, skellam_numbers
from medfl.streams import torch_stream


def source(name):
    return None if name == "system" else torch_stream(3, "test")


@pytest.mark.parametrize("name", ["stream", "system"])
@pytest.mark.parametrize("mean", [0.0, 0.3, 9.9, 10.0, 37.5, 1e4, 3e7])
def test_poisson_numbers(mean, name):
    """χ² over cells of equal probability, against scipy's distribution."""
    count = 100_000
    drawn = poisson_numbers(count, mean, source(name))
    assert drawn.dtype == np.int64
    if mean == 0.0:
        assert not drawn.any()
        return
    edges = np.unique(stats.poisson.ppf(np.linspace(0, 1, 30)[1:-1], mean))
    expected = np.diff(np.concatenate([[0.0], stats.poisson.cdf(edges, mean), [1.0]]))
    found = np.bincount(np.searchsorted(edges, drawn), minlength=len(expected))
    kept = expected * count > 5
    observed = np.append(found[kept], found[~kept].sum())
    wanted = np.append(expected[kept], expected[~kept].sum()) * count
    if wanted[-1] == 0:
        observed, wanted = observed[:-1], wanted[:-1]
    # The system's numbers are others each time: a smaller share of right ones may be refused.
    assert stats.chisquare(observed, wanted).pvalue > (1e-4 if name == "stream" else 1e-8)


def test_sums_of_shares_have_the_variance_of_the_whole():
    """Seven shares of variance 50/7 are Skellam numbers of variance 50."""
    generator = torch_stream(5, "test")
    total = sum(skellam_numbers(50_000, 50 / 7, generator) for _ in range(7))
    edges = np.arange(-25, 26)
    expected = np.diff(np.concatenate([[0], stats.skellam.cdf(edges, 25, 25), [1]])) * len(total)
    found = np.bincount(np.searchsorted(edges, total), minlength=len(expected))
    assert stats.chisquare(found, expected).pvalue > 1e-4


def divergence(order, variance, shift):
    """The Rényi divergence of a shifted Skellam number from its own, summed term by term."""
    far = int(12 * math.sqrt(variance) + 2 * order * shift + 60)
    k = np.arange(-far, far + 1)
    m = np.arange(int(2 * variance) + 2 * far)[:, None]

    def log_probability(k):
        """−µ + log I_k(µ), by the Bessel function's series, which underflows nowhere."""
        terms = (2 * m + abs(k)) * math.log(variance / 2) - gammaln(m + 1) - gammaln(m + abs(k) + 1)
        return logsumexp(terms, axis=0) - variance

    one, other = log_probability(k - shift), log_probability(k)
    assert math.fsum(np.exp(one)) == pytest.approx(1.0, abs=1e-9)
    return logsumexp(order * one + (1 - order) * other) / (order - 1)


@pytest.mark.parametrize("shift", [1, 3, 10])
@pytest.mark.parametrize("variance", [20.0, 100.0, 400.0])
@pytest.mark.parametrize("order", [2, 3, 8, 16])
def test_the_divergence_in_one_dimension(order, variance, shift):
    """The bound is above what the sum gives, and by no more than its own second term."""
    exact = divergence(order, variance, shift)
    bound = skellam_divergence(order, variance, shift, shift)
    assert exact <= bound * (1 + 1e-9)
    if order * shift < variance / 2:  # where Gaussian noise is much the same
        assert exact >= order * shift**2 / (2 * variance) * 0.9
    assert bound - order * shift**2 / (2 * variance) <= 3 * shift / (2 * variance)


def test_fine_noise_costs_what_gaussian_noise_does():
    """With large whole numbers the bound is Gauss's, α Δ² / 2µ, up to the conversion to ε."""
    one = skellam_epsilon((4.0 * 1e4) ** 2, 1e6, 1e4, 50, 1e-5)
    exact = gaussian_epsilon(math.sqrt(50) / 4, 1e-5)
    assert exact == pytest.approx(8.60, abs=0.005)
    assert 9.2 < one < 9.35, "9.23 by Rényi divergences of Gaussian noise at all orders"
    assert skellam_epsilon((4.0 * 4) ** 2, 16, 4, 50, 1e-5) > one + 0.03, "coarse noise costs more"
    assert skellam_epsilon(0.0, 1, 1, 1, 1e-5) == math.inf
    assert skellam_epsilon(1.0, 1, 1, 0, 1e-5) == 0.0


@pytest.mark.parametrize(("variance", "size"), [(10.0, 5), (10.0, 40), (1000.0, 200), (2.0, 30)])
def test_the_tail_is_a_bound(variance, size):
    exact = 2 * stats.skellam.sf(size - 1, variance / 2, variance / 2)
    assert exact <= math.exp(skellam_tail(size, variance))
    if 1e-300 < exact < 0.1:
        assert math.log(exact) > skellam_tail(size, variance) - 6, "and not far above"
    assert skellam_tail(0.0, variance) == 0.0
    assert skellam_tail(1.0, 0.0) == -math.inf
