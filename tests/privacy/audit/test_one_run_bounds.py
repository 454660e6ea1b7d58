"""The bounds of one run against values of an independent implementation, and worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import binom

from medfl.privacy.accounting import gaussian_epsilon
from medfl.privacy.audit.f_dp import f_dp_epsilon, gaussian_refuted
from medfl.privacy.audit.guesses import Guesses, all_right, guess_members, judge_guesses
from medfl.privacy.audit.one_run import one_run_epsilon, one_run_p_value
from medfl.privacy.audit.poisson import PoissonTests
from medfl.privacy.audit.verdict import AuditFinding, judge_audit

N, DELTA, LEVEL = 10_000, 1e-6, 0.05


def corners(shift):
    """(guesses, right) at every threshold that is a corner of the ROC's convex hull.

    Scores out are the quantiles (i + ½)/N of a normal distribution, and those in lie ``shift``
    above. Whoever has a score of at least the threshold is guessed to be in.
    """
    out = ndtri((np.arange(N) + 0.5) / N)
    thresholds = np.append(np.union1d(out, out + shift), np.inf)
    points = np.stack([np.searchsorted(s, thresholds) for s in (out + shift, out)], axis=1)
    hull: list[np.ndarray] = []
    for point in points:
        while len(hull) > 1 and np.linalg.det([hull[-1] - hull[-2], point - hull[-1]]) >= -0.5:
            hull.pop()
        hull.append(point)
    below_in, below_out = np.array(hull).T
    return [(int(2 * N - a - b), int(N - a)) for a, b in zip(below_in, below_out, strict=True)]


@pytest.mark.parametrize(
    ("shift", "one_run", "f_dp", "truth"),
    [
        (1, 1.13346, 2.164749, 4.887),
        (2, 2.311945, 4.7218075, 10.997),
        (4, 4.395568, 9.133752, 26.357),
    ],
)
def test_both_forms_on_quantiles_of_normal_scores(shift, one_run, f_dp, truth):
    """The best of all corners, each at its part of the level, by the reference's numbers.

    The bound is where the last corner stops refuting ε: just below it one does, just above none.
    """
    made = [(r, v) for r, v in corners(shift) if v]
    level = LEVEL / (len(made) + 1)  # the corner without a guess counts, too

    def by_theorem(epsilon):
        return any(one_run_p_value(2 * N, r, v, epsilon, DELTA) <= level for r, v in made)

    def by_curve(epsilon):
        low, high = 0.0, 2.0 * shift
        for _ in range(60):
            mu = (low + high) / 2
            low, high = (mu, high) if gaussian_epsilon(mu, DELTA) < epsilon else (low, mu)
        return any(gaussian_refuted(2 * N, r, v, low, level) for r, v in made)

    assert by_theorem(one_run * (1 - 1e-5))
    assert not by_theorem(one_run * (1 + 1e-5))
    assert by_curve(f_dp * (1 - 1e-5))
    assert not by_curve(f_dp * (1 + 1e-5))
    assert gaussian_epsilon(shift, DELTA) == pytest.approx(truth, abs=5e-4)


@pytest.mark.parametrize(
    ("canaries", "most"), [(10, 1.05), (100, 3.5), (1_000, 5.8), (10_000, 7.8)]
)
def test_what_can_be_shown_at_most(canaries, most):
    assert all_right(canaries, 1.0).bounds(1e-5, 0.05)[0] == pytest.approx(most, abs=0.06)


def p_value_by_the_papers_loop(m, r, v, epsilon, delta):
    """Appendix D of the paper, term by term."""
    chance = 1 / (1 + math.exp(-epsilon))
    beta, alpha, total = binom.sf(v - 1, r, chance), 0.0, 0.0
    for i in range(1, v + 1):
        total += binom.pmf(v - i, r, chance)
        alpha = max(alpha, total / i)
    return min(1.0, beta + 2 * m * delta * alpha)


@pytest.mark.parametrize("delta", [0.0, 1e-5, 1e-3])
@pytest.mark.parametrize("epsilon", [0.0, 0.5, 3.0])
@pytest.mark.parametrize(("m", "r", "v"), [(10, 10, 9), (50, 20, 3), (1000, 400, 240), (9, 4, 0)])
def test_the_p_value_term_by_term(m, r, v, epsilon, delta):
    expected = p_value_by_the_papers_loop(m, r, v, epsilon, delta)
    assert one_run_p_value(m, r, v, epsilon, delta) == pytest.approx(expected, rel=1e-9)


def test_with_delta_zero_it_is_the_tail_of_a_binomial():
    """Eight of eight right: (e^ε/(1 + e^ε))⁸ = .05, so ε = ln(a/(1 − a)) with a = .05^⅛."""
    accuracy = 0.05 ** (1 / 8)
    expected = math.log(accuracy / (1 - accuracy))
    assert one_run_epsilon(8, 8, 8, 0.0, 0.05) == pytest.approx(expected, abs=1e-6)


def test_half_of_the_guesses_right_show_nothing():
    assert Guesses(1000, 200, 100).bounds(1e-5, 0.05) == (0.0, 0.0)
    assert Guesses(1000, 200, 90).bounds(1e-5, 0.05) == (0.0, 0.0)


def test_the_f_dp_form_is_wrong_no_more_often_than_it_says():
    """On the Gaussian mechanism itself, whose bound would have to stay below its own µ."""
    random, mu, wrong = np.random.default_rng(0), 0.5, 0
    for _ in range(400):
        inside = random.random(200) < 0.5
        scores = random.normal(size=200) + mu * inside
        made = judge_guesses(guess_members(scores, 0.2), inside)
        wrong += gaussian_refuted(200, made.made, made.right, mu, 0.2)
    assert wrong <= 0.2 * 400


def test_the_f_dp_form_in_one_step_by_hand():
    """One guess, right: r₀ = r₁ as its factor is 0, and h₀ = Φ(Φ⁻¹(r₁) − µ) with r₁ = .05/m.

    With m = 1: r₀ + h₀ > 1 never holds. So no single guess refutes anything.
    """
    assert not gaussian_refuted(1, 1, 1, 0.0, 0.05)
    assert f_dp_epsilon(1, 1, 1, 1e-5, 0.05) == 0.0


def test_two_guesses_by_hand():
    """m = r = v = 2, level τ: r₂ = τ, h₂ = 0; with µ = 0 f̄⁻¹ is the identity.

    h₁ = τ, r₁ = τ + 1/(2 − 1) · τ = 2τ; h₀ = 2τ, r₀ = r₁ + 0. Refuted where 4τ > 1: a fair coin
    is right twice with probability ¼.
    """
    assert gaussian_refuted(2, 2, 2, 0.0, 0.26)
    assert not gaussian_refuted(2, 2, 2, 0.0, 0.24)


def test_guesses_on_both_sides():
    scores = np.array([0.1, 5.0, -3.0, 0.2, 4.0, -2.0, 0.0, 0.3, 0.4, 0.5])
    guessed = guess_members(scores, 0.4)
    assert guessed.tolist() == [0, 1, -1, 0, 1, -1, 0, 0, 0, 0]
    inside = np.zeros(10, bool)
    inside[[1, 2, 4]] = True  # 1, 4 and 5 are guessed rightly, 2 wrongly
    assert judge_guesses(guessed, inside) == Guesses(10, 4, 3)
    assert all_right(10, 0.4) == Guesses(10, 4, 4)


def test_what_is_found():
    found = judge_audit(Guesses(2000, 400, 250), 1.0, 1e-5, 0.05, None)
    assert found.finding is AuditFinding.HOLDS
    assert found.passed
    assert 0.2 <= found.one_run < found.f_dp <= 1.0
    assert (
        judge_audit(Guesses(2000, 400, 250), 0.3, 1e-5, 0.05, None).finding is AuditFinding.BROKEN
    )
    blind = judge_audit(Guesses(2000, 400, 205), 1.0, 1e-5, 0.05, None)
    assert blind.finding is AuditFinding.BLIND
    assert not blind.passed
    shuffled = PoissonTests(0.5, 1e-30, 0.5, 0.5)
    found = judge_audit(Guesses(2000, 400, 250), 1.0, 1e-5, 0.05, shuffled)
    assert found.finding is AuditFinding.SAMPLING
