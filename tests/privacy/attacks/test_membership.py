"""Likelihood ratios against a case whose ROC is known, and rates only where they mean something."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, norm

from medfl.privacy.attacks.likelihood import confidence, likelihood_ratios
from medfl.privacy.attacks.membership import ATTACKS, halves, judge
from medfl.privacy.attacks.roc import caught, roc

SHIFT = 1.0


def two_normals(shadows: int, n: int, seed: int = 0, shift: float = SHIFT):
    """Sample j is N(µ_j, 1), of a member N(µ_j + shift, 1); the µ_j are far apart."""
    random = np.random.default_rng(seed)
    dealt = halves(np.arange(n).astype(str), 1, shadows, seed)
    hard = random.normal(0, 20, n)
    scores = random.normal(size=(shadows, n)) + hard + shift * dealt.member
    return scores, dealt


@pytest.mark.parametrize("attack", ["online", "offline"])
def test_two_normals_give_the_roc_of_theory(attack):
    """TPR = Φ(Φ⁻¹(FPR) + 1): the ratio grows with the score minus µ_j, which shadows find out.

    With 99 shadows of each kind µ_j is known to a tenth, which costs (1 + .01) in variance.
    """
    scores, dealt = two_normals(200, 300)
    evidence = ATTACKS[attack][1](scores, dealt.member)
    curve = roc(evidence.ravel(), dealt.member.ravel())
    for rate in (0.001, 0.01, 0.1, 0.5):
        found = float(np.interp(rate, curve.fpr, curve.tpr))
        truth = norm.cdf(norm.ppf(rate) + SHIFT / np.sqrt(1.01))
        assert found == pytest.approx(truth, abs=4 * np.sqrt(truth * (1 - truth) / 30_000) + 0.003)
    assert curve.auc == pytest.approx(norm.cdf(SHIFT / np.sqrt(2 * 1.01)), abs=0.005)


def test_where_nothing_leaks_nothing_is_found():
    """12 federations, as by default: AUC .5, and no rate is above what guessing finds."""
    scores, dealt = two_normals(12, 1000, shift=0.0)
    for curve in judge("here", scores, dealt).values():
        assert curve.roc.auc == pytest.approx(0.5, abs=0.02)
        (percent,) = [one for one in curve.caught if one.rate == 0.01]
        assert percent.low < 0.01


def test_one_threshold_for_all_finds_next_to_nothing_there():
    """The µ_j spread by 20, the members' shift is 1: AUC is Φ(1 / (√2 · 20)) or so."""
    scores, dealt = two_normals(40, 500)
    curve = judge("here", scores, dealt)["threshold"]
    assert curve.roc.auc == pytest.approx(norm.cdf(1 / (np.sqrt(2) * 20)), abs=0.01)


def test_the_target_itself_is_no_shadow_of_its_own():
    """By hand: sample in for 0 and 1, out for 2 and 3; target 0 knows one in-score, 5."""
    member = np.array([[True], [True], [False], [False]])
    scores = np.array([[3.0], [5.0], [1.0], [2.0]])
    found = likelihood_ratios(scores, member, online=False)
    # Out for target 0: mean 1.5, variance ((.5)² + (.5)²)/1 = .5
    assert found[0, 0] == pytest.approx((3 - 1.5) / np.sqrt(0.5))
    # Target 3: the one score left outside is 1; its variance cannot be known, and is the least.
    assert found[3, 0] > 1e3


def test_the_ratio_of_two_densities_by_hand():
    """Two samples give the variances: in (4, 6) and (0, 0): 2/2 = 1; out (0, 2), (0, 0): 1."""
    member = np.array([[True, True]] * 3 + [[False, False]] * 2)
    scores = np.array([[5.5, 9.0], [4.0, 0.0], [6.0, 0.0], [0.0, 0.0], [2.0, 0.0]])
    found = likelihood_ratios(scores, member, online=True)
    assert found[0, 0] == pytest.approx(-((5.5 - 5) ** 2) / 2 + (5.5 - 1) ** 2 / 2)
    assert found[0, 1] == pytest.approx(0.0)  # both say N(0, 1)


def test_a_sample_that_no_shadow_saw_has_no_online_ratio():
    member = np.array([[True], [False], [False]])
    scores = np.array([[3.0], [1.0], [2.0]])
    assert np.isnan(likelihood_ratios(scores, member, online=True)[0, 0])
    assert np.isfinite(likelihood_ratios(scores, member, online=False)[0, 0])


def test_confidence_is_the_log_odds_of_the_true_class():
    probabilities = np.array([[0.8, 0.15, 0.05], [0.8, 0.15, 0.05], [1.0, 0.0, 0.0]])
    found = confidence(probabilities, np.array([0, 2, 0]))
    assert found[:2] == pytest.approx([np.log(4), np.log(0.05 / 0.95)])
    assert np.isfinite(found[2])
    # 1 − p would be 0 in double precision; the others' sum is not.
    sure = confidence(np.array([[1.0, 1e-20]]), np.array([0]))
    assert sure[0] == pytest.approx(20 * np.log(10))


def test_a_roc_by_hand_with_equal_scores_passed_together():
    """Scores 3 m, 2 m, 2 o, 1 o: (0, .5), (.5, 1), (1, 1); area .25·… = 1/2·.5·(.5 + 1) + .5."""
    curve = roc(np.array([1.0, 2.0, 3.0, 2.0]), np.array([False, True, True, False]))
    assert curve.fpr.tolist() == [0.0, 0.0, 0.5, 1.0]
    assert curve.tpr.tolist() == [0.0, 0.5, 1.0, 1.0]
    assert curve.auc == pytest.approx(0.875)
    assert (curve.members, curve.others) == (2, 2)


def sample(others: int, members: int = 200):
    """Members at 0.5 … and others spread evenly below 1."""
    scores = np.concatenate([np.arange(others) / others, np.full(members, 0.995)])
    return scores, np.arange(others + members) >= others


@pytest.mark.parametrize(
    ("others", "rate", "told"),
    [(999, 0.01, False), (1000, 0.01, True), (9_999, 0.001, False), (10_000, 0.001, True)],
)
def test_a_rate_needs_ten_non_members_above_the_threshold(others, rate, told):
    scores, member = sample(others)
    found = caught(scores, member, np.arange(len(scores)), rate)
    assert (found.value is not None) == told
    assert (found.low is not None) == told


def test_at_most_the_allowed_share_of_others_is_taken_for_members():
    """Of 1,000 others at k/1000 ten may lie above: the threshold is .989."""
    scores, member = sample(1000, 0)
    scores = np.append(scores, [0.9885, 0.9895, 0.999])
    member = np.append(member, [True, True, True])
    found = caught(scores, member, np.arange(len(scores)), 0.01)
    assert found.value == pytest.approx(2 / 3)


def test_the_interval_is_that_of_clopper_and_pearson():
    """60 of 200 independent members."""
    scores, member = sample(1000)
    scores[1000:1140] = 0.0
    found = caught(scores, member, np.arange(len(scores)), 0.01)
    assert found.value == pytest.approx(0.3)
    assert found.low == pytest.approx(beta.ppf(0.025, 60, 141), abs=1e-3)
    assert found.high == pytest.approx(beta.ppf(0.975, 61, 140), abs=1e-3)


def test_images_of_few_people_make_a_wider_interval():
    scores, member = sample(1000)
    scores[1000:1140] = 0.0
    alone = caught(scores, member, np.arange(len(scores)), 0.01)
    people = np.arange(len(scores)) // 10
    together = caught(scores, member, people, 0.01)
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_halves_keep_people_whole_and_each_in_half_of_the_federations():
    groups = np.repeat([f"p{k}" for k in range(30)], 3)
    dealt = halves(groups, 4, 6, seed=1)
    assert dealt.member.shape == (6, 90)
    assert (dealt.member.sum(axis=0) == 3).all()
    for person in range(30):
        mine = dealt.people == person
        assert len(set(dealt.homes[mine])) == 1
        assert all(len(set(row[mine])) == 1 for row in dealt.member)
    assert sorted(np.bincount(dealt.homes)) == [21, 21, 24, 24]
    again, other = halves(groups, 4, 6, seed=1), halves(groups, 4, 6, seed=2)
    assert (again.member == dealt.member).all()
    assert (other.member != dealt.member).any()
