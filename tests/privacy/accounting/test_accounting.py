"""Accountants against published values, closed formulas and numerical integration."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import gammaln, logsumexp
from scipy.stats import norm

from medfl.errors import MedflError
from medfl.privacy.accounting import (
    epsilon_of,
    gaussian_delta,
    gaussian_epsilon,
    noise_for,
    steps_within,
)
from medfl.privacy.accounting.epsilon import RDP_ORDERS
from medfl.privacy.quiet_opacus import import_opacus


def test_published_values():
    """Opacus' and Gopi et al.'s own example: noise 1.5, q = .04."""
    assert epsilon_of(1.5, 0.04, 2250, 1e-5) == pytest.approx(7.32911117143, abs=1e-9)
    assert epsilon_of(1.5, 0.04, 2249, 1e-5, "prv") == pytest.approx(6.7773957, abs=1e-6)


@pytest.mark.parametrize(
    ("noise", "releases", "epsilon"),
    [(1, 50, 54.38), (1, 100, 91.82), (4, 50, 8.60), (10, 100, 4.38)],
)
def test_everyone_in_every_release(noise, releases, epsilon):
    """The exact formula; Rényi divergences would give 9.23 in place of 8.60."""
    assert epsilon_of(noise, 1.0, releases, 1e-5) == pytest.approx(epsilon, abs=0.005)
    assert gaussian_epsilon(math.sqrt(releases) / noise, 1e-5) == pytest.approx(epsilon, abs=0.005)


@pytest.mark.parametrize(("mu", "epsilon"), [(0.5, 0.3), (1.0, 1.0), (3.0, 8.0)])
def test_delta_is_the_hockey_stick(mu, epsilon):
    """δ(ε) = ∫ max(0, p − e^ε q) of N(µ, 1) against N(0, 1), integrated in 200,000 steps."""
    x = np.linspace(-12, 15, 200_001)
    excess = np.maximum(0, norm.pdf(x, mu) - math.exp(epsilon) * norm.pdf(x))
    assert gaussian_delta(mu, epsilon) == pytest.approx(np.trapezoid(excess, x), rel=1e-6)


def test_no_delta_is_lost_far_out():
    """Far out both terms underflow or cancel; the logarithms do not."""
    assert 0 < gaussian_delta(1.0, 30.0) < 1e-180
    assert gaussian_epsilon(0.0, 1e-5) == 0.0
    assert gaussian_epsilon(1e-7, 1e-5) == 0.0


def classic(noise, q, steps, delta):
    """Mironov, Talwar and Zhang 2019, section 3.3, with the conversion of Mironov 2017, prop. 3."""
    found = []
    for order in range(2, 65):
        k = np.arange(order + 1)
        binomial = gammaln(order + 1) - gammaln(k + 1) - gammaln(order - k + 1)
        terms = binomial + (order - k) * math.log1p(-q) + k * math.log(q)
        moment = logsumexp(terms + (k * k - k) / (2 * noise**2))
        found.append((steps * moment + math.log(1 / delta)) / (order - 1))
    return min(found)


@pytest.mark.parametrize(
    ("noise", "epochs", "published"), [(1.12, 60, 2.92), (0.6, 30, 9.74), (1.2, 10, 1.20)]
)
def test_mnist_examples(noise, epochs, published):
    """60,000 images in batches of 256: published with the conversion of 2017, ours is below it."""
    q, steps = 256 / 60_000, epochs * 60_000 // 256
    assert classic(noise, q, steps, 1e-5) == pytest.approx(
        published, abs=0.04
    )  # whole orders alone
    ours, tight = (epsilon_of(noise, q, steps, 1e-5, kind) for kind in ("rdp", "prv"))
    assert 0 < tight < ours < published


def test_more_of_anything_costs_more():
    base = epsilon_of(1.0, 0.1, 100, 1e-5)
    assert epsilon_of(0.9, 0.1, 100, 1e-5) > base
    assert epsilon_of(1.0, 0.11, 100, 1e-5) > base
    assert epsilon_of(1.0, 0.1, 101, 1e-5) > base
    assert epsilon_of(1.0, 0.1, 100, 1e-6) > base
    assert epsilon_of(1.0, 1.0, 100, 1e-5) > epsilon_of(1.0, 0.99, 100, 1e-5, "prv") * 0.9


def test_the_ends():
    assert epsilon_of(1.0, 0.1, 0, 1e-5) == 0.0
    assert epsilon_of(0.0, 0.1, 1, 1e-5) == math.inf
    assert epsilon_of(1.0, 0.0, 10, 1e-5) == 0.0
    assert math.isfinite(RDP_ORDERS[-1])


@pytest.mark.parametrize("accountant", ["rdp", "prv"])
@pytest.mark.parametrize(("target", "q"), [(1.0, 0.1), (8.0, 0.04), (8.0, 1.0)])
def test_noise_for_a_budget(target, q, accountant):
    noise = noise_for(target, q, 50, 1e-5, accountant)
    assert epsilon_of(noise, q, 50, 1e-5, accountant) <= target
    assert epsilon_of(noise * 0.999, q, 50, 1e-5, accountant) > target


def test_steps_for_a_budget():
    most = steps_within(3.0, 1.5, 0.04, 10_000, 1e-5)
    assert epsilon_of(1.5, 0.04, most, 1e-5) <= 3.0 < epsilon_of(1.5, 0.04, most + 1, 1e-5)
    assert steps_within(1e-6, 0.5, 0.5, 100, 1e-5) == 0
    assert steps_within(1e9, 0.5, 0.5, 100, 1e-5) == 100
    assert steps_within(5.0, 0.0, 0.5, 100, 1e-5) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((-1.0, 0.1, 1, 1e-5), "the noise multiplier is -1"),
        ((math.nan, 0.1, 1, 1e-5), "the noise multiplier is nan"),
        ((1.0, 1.5, 1, 1e-5), "the sampling rate is 1.5"),
        ((1.0, 0.1, 1, 0.0), "δ is 0"),
        ((1.0, 0.1, 1, 1.0), "δ is 1"),
    ],
)
def test_what_is_out_of_range_is_refused(arguments, said):
    with pytest.raises(MedflError, match=said):
        epsilon_of(*arguments)


def test_a_budget_that_is_none_is_refused():
    with pytest.raises(MedflError, match="must be above 0"):
        noise_for(0.0, 0.1, 10, 1e-5)


@pytest.mark.filterwarnings("ignore:Optimal order")  # of Opacus itself: that is still a bound
@pytest.mark.parametrize("noise", [0.6, 1.5, 12.0])
@pytest.mark.parametrize(
    ("q", "steps", "delta"), [(0.5, 20, 1e-5), (0.04, 100, 0.2), (0.9, 1, 1e-9)]
)
def test_orders_that_are_left_out_change_no_bit(noise, q, steps, delta):
    rdp = import_opacus("accountants.analysis.rdp")
    all_of_them = rdp.compute_rdp(q=q, noise_multiplier=noise, steps=steps, orders=RDP_ORDERS)
    whole, _ = rdp.get_privacy_spent(orders=RDP_ORDERS, rdp=all_of_them, delta=delta)
    prv = import_opacus("accountants").PRVAccountant()
    prv.history = [(noise, q, steps)]
    assert epsilon_of(noise, q, steps, delta, "rdp") == max(0.0, float(whole))
    assert epsilon_of(noise, q, steps, delta, "prv") == float(prv.get_epsilon(delta=delta))


def test_much_noise_looks_at_no_order_that_is_no_whole_number(monkeypatch):
    rdp = import_opacus("accountants.analysis.rdp")
    monkeypatch.setattr(rdp, "_compute_log_a_for_frac_alpha", None)
    # log(1/δ) and order 1024 alone: (11.513 − 6.931)/1023 + log(1023/1024) = 0.003501.
    assert epsilon_of(2.0**19, 0.5, 20, 1e-5) == pytest.approx(0.0035014, abs=1e-7)


@pytest.mark.parametrize(
    ("target", "q", "delta", "accountant", "said"),
    [
        (1e-308, 0.5, 1e-5, "prv", "no ε below 0.00999 can be proved"),
        (1e-308, 0.5, 1e-5, "rdp", "no ε below 0.0035 can be proved"),
        (1.0, 0.5, 1e-308, "prv", "no ε can be proved"),
        (1.0, 1e-308, 1e-5, "prv", "need no noise: each member"),
    ],
)
def test_budgets_at_their_ends_are_refused_at_once(target, q, delta, accountant, said):
    with pytest.raises(MedflError, match=said):
        noise_for(target, q, 20, delta, accountant)


def test_the_least_budget_of_everyone_is_kept():
    # With everyone in each of 20 steps δ alone covers µ = √20 / z where Φ(µ/2) − Φ(−µ/2) ≤ δ,
    # which is µ φ(0): z = √20 · 0.39894 / 10⁻⁵ = 178,412, and then ε is 0.
    assert noise_for(1e-308, 1.0, 20, 1e-5) == pytest.approx(178_412, rel=2e-4)
