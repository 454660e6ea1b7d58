from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from medfl.report.statistics.pairs import Comparison, PairTest, compare_pairs, holm, too_few


def test_holm_by_hand():
    # sorted .01 .02 .03 .04 times 4 3 2 1 = .04 .06 .06 .04, then made monotone
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("arms", "seeds", "words"),
    [
        (1, 9, "there are no two arms to compare"),
        (2, 1, "1 seed cannot tell arms apart (two arms need 4 seeds)"),
        (2, 3, "3 seeds cannot tell arms apart (two arms need 4 seeds)"),
        (2, 4, ""),
        (7, 2, "2 seeds cannot tell arms apart (7 arms need 3 seeds)"),
        (7, 3, ""),
    ],
)
def test_too_few_arms_or_seeds_are_told(arms, seeds, words):
    assert too_few(arms, seeds) == words
    if words:
        with pytest.raises(ValueError, match="enough seeds"):
            compare_pairs("abcdefg"[:arms], np.zeros((arms, seeds)), test_per_train=0.2)


# Own folds, two arms: differences .1 .1 .1 .14; the pair's mean square is .0002.
BASE = np.array([0.60, 0.65, 0.64, 0.61])
APART = np.array([0.1, 0.1, 0.1, 0.14])


def test_two_arms_by_hand():
    (pair,), ends = compare_pairs(("a", "b"), np.stack([BASE + APART, BASE]), test_per_train=0.25)
    assert (pair.arm, pair.other) == ("a", "b")
    assert pair.difference == pytest.approx(0.11)
    # Standard error: root of 2 · .0002 · (1/4 + 1/4); t(.975, 3) = 3.18245
    assert pair.low == pytest.approx(0.11 - 3.18245 * np.sqrt(0.0002), abs=1e-6)
    assert pair.high == pytest.approx(0.11 + 3.18245 * np.sqrt(0.0002), abs=1e-6)
    assert pair.p == pytest.approx(2 * stats.t.sf(0.11 / np.sqrt(0.0002), 3), rel=1e-6)
    assert pair.p_holm == pair.p
    assert pair.separated
    low, high = ends["b"]
    half = 3.18245 * np.sqrt(BASE.var(ddof=1) * 0.5)
    assert (low, high) == pytest.approx((0.625 - half, 0.625 + half), abs=1e-5)


def test_intervals_and_p_values_allow_for_all_pairs():
    values = np.stack([BASE + APART, BASE + 0.3 * APART[::-1], BASE])
    pairs, _ = compare_pairs(("a", "b", "c"), values, test_per_train=0.25)
    assert [(pair.arm, pair.other) for pair in pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [pair.p_holm for pair in pairs] == pytest.approx(holm([pair.p for pair in pairs]))
    for pair in pairs:
        excluded = pair.low > 0
        assert excluded == (pair.p < 0.05 / 3), "the interval is Bonferroni's for three pairs"


def test_no_interval_leaves_what_the_metric_can_be():
    values = np.array([[0.99, 0.90, 1.0, 0.9], [0.02, 0.0, 0.1, 0.01]])
    for lowest, most in ((0.0, 1.0), (-1.0, 2.0)):
        (pair,), ends = compare_pairs(("a", "b"), values, test_per_train=1.0, lowest=lowest)
        assert pair.high <= most
        assert ends["a"][1] == 1.0
        assert ends["b"][0] >= lowest
    assert ends["b"][0] < 0, "kappa may be negative"


def test_seeds_that_share_patients_need_more_than_steady_seeds():
    """The same 12 of 400 patients differ with every seed: no spread over seeds at all."""
    right = np.ones((3, 4, 400))
    right[1, :, :12] = 0
    right[2, :, 12:24] = 0
    left_out = (right.sum(axis=-1, keepdims=True) - right) / 399
    pairs, _ = compare_pairs(("a", "b", "c"), right.mean(axis=-1), left_out=left_out)
    found = {(pair.arm, pair.other): pair for pair in pairs}
    # b - c: 12 patients for, 12 against: standard error root of 24 / 400 · 1 / 399
    equal = found["b", "c"]
    assert equal.difference == 0
    assert equal.p == 1.0
    assert not equal.separated
    apart = found["a", "b"]
    assert apart.difference == pytest.approx(0.03)
    df = (12 * 0.97**2 + 388 * 0.03**2) ** 2 / (12 * 0.97**4 + 388 * 0.03**4) - 1
    t = 0.03 / np.sqrt(0.03 * 0.97 / 399)
    assert apart.p == pytest.approx(2 * stats.t.sf(t, df), rel=1e-6)


def test_practically_equal_is_the_whole_interval_inside():
    pair = PairTest("a", "b", 0.002, -0.004, 0.008, 0.6, 0.6)
    assert pair.equal_within(0.01)
    assert not pair.equal_within(0.008)
    assert not PairTest("a", "b", 0.0).equal_within(0.01), "nothing is known of it"


def test_a_pair_that_cannot_be_tested_still_counts_in_the_family():
    right = np.ones((3, 3, 50))
    right[1] = 0  # wrong on every patient: neither seeds nor patients differ
    right[2, 0, :25] = 0
    right[2, 1:, 20:35] = 0
    left_out = (right.sum(axis=-1, keepdims=True) - right) / 49
    pairs, _ = compare_pairs(
        ("a", "c", "b"), right[[0, 2, 1]].mean(axis=-1), left_out=left_out[[0, 2, 1]]
    )
    assert len([pair for pair in pairs if pair.p is not None]) == 3, "the third arm has a spread"
    (pair,), _ = compare_pairs(("a", "c"), np.stack([BASE + 0.1, BASE]), test_per_train=0.2)
    assert (pair.p, pair.low, pair.separated) == (None, None, False), "no spread but of rounding"
    assert pair.difference == pytest.approx(0.1)


def test_who_may_be_the_best():
    def pair(arm, other, p):
        return PairTest(arm, other, 0.1, -1, 1, p, p)

    pairs = (pair("a", "b", 0.2), pair("a", "c", 0.01), pair("b", "c", 0.5))
    found = Comparison(("a", "b", "c"), (0, 1, 2), pairs=pairs)
    assert found.like_best(["a", "b", "c"]) == ["a", "b"]
    assert found.like_best(["c", "b"]) == ["b", "c"]
    assert found.like_best(["c", "a"]) == ["a"]
    assert Comparison(("a", "b"), (0,), reason="too few").like_best(["a", "b"]) == []
