"""The words on how far the best arm stands out: no more than the tests allow."""

from __future__ import annotations

import pytest

from medfl.report.certainty import sureness
from medfl.report.findings import Finding, describe, interval
from medfl.report.statistics import Summary
from medfl.report.statistics.pairs import Comparison, PairTest
from medfl.report.statistics.summary import Ranking
from medfl.results.columns import ACCURACY, AUC, EVERYONE, KAPPA, OWN

MEANS = {"best": 0.8, "a": 0.79, "b": 0.7, "c": 0.69, "d": 0.68}


def pair(arm, other, p, low=-0.2, high=0.2):
    return PairTest(arm, other, MEANS.get(arm, 0.8) - MEANS.get(other, 0.8), low, high, p, p)


def finding(pairs=(), arms=("best", "a", "b"), reason="", absent=(), question=OWN, **keys):
    """The arm `best` against others, with the tests' outcomes given."""
    summaries = {arm: Summary(3, MEANS[arm], 0.01, 0.775, 0.825) for arm in arms}
    comparison = Comparison(
        tuple(arms), (0, 1, 2), "shared", 50, tuple(pairs), {}, reason, dict(absent)
    )
    keys.setdefault("comparison", comparison)
    return Finding("toy", "iid", question, ACCURACY, Ranking(tuple(arms), summaries), **keys)


@pytest.mark.parametrize(
    ("p_values", "words"),
    [
        (
            {"a": 0.001, "b": 0.001},
            "better than every other arm on new patients, given these training patients (all pairs "
            "of arms, Holm, p < 0.05)",
        ),
        (
            {"a": 0.08, "b": 0.001},
            "best mean; better than b, but not distinguishable from a on new patients",
        ),
        (
            dict.fromkeys("abcd", 0.08),
            "best mean; not distinguishable from any of the other 4 on new patients",
        ),
    ],
)
def test_how_far_the_best_stands_out(p_values, words):
    pairs = [pair("best", arm, p) for arm, p in p_values.items()]
    assert finding(pairs, ("best", *p_values)).certainty == words


def test_of_many_arms_the_first_are_named_and_the_others_counted():
    """Seven of eight others cannot be told from the best; the sentence bears six names."""
    others = [f"x{number}" for number in range(8)]
    summaries = {arm: Summary(3, 0.7, 0.01, 0.6, 0.8) for arm in ("best", *others)}
    pairs = tuple(
        PairTest("best", arm, 0.1, -0.1, 0.3, p, p)
        for arm, p in zip(others, [0.2] * 7 + [0.001], strict=True)
    )
    comparison = Comparison(("best", *others), (0, 1, 2), "shared", 50, pairs, {}, "", {})
    ranking = Ranking(("best", *others), summaries)
    words = sureness(ranking, comparison, 0.01, frozenset(["x1"]))
    assert (
        words
        == "better than x7, but not distinguishable from x0, x1 †, x2 and 4 more on new patients"
    )


def test_where_no_test_is_made_nothing_is_claimed_and_it_is_said_why():
    assert finding(arms=("best",)).certainty == "the only arm that is ranked"
    words = finding(reason="2 seeds cannot tell arms apart (3 arms need 3 seeds)").certainty
    assert words == (
        "best mean; no claim, because 2 seeds cannot tell arms apart (3 arms need 3 seeds)"
    )
    words = finding(comparison=None).certainty
    assert words == "best mean; no claim, because partitions share their patients"


def test_practically_equal_is_an_answer():
    pairs = [pair("best", "a", 0.5, -0.004, 0.009), pair("best", "b", 0.001)]
    assert finding(pairs, margin=0.01).certainty.endswith("; practically equal to a")
    assert finding(pairs, margin=0.005).certainty.endswith("from a on new patients")


def test_an_arm_with_the_same_mean_is_named_beside_the_best(monkeypatch):
    monkeypatch.setitem(MEANS, "a", 0.8)
    words = finding(reason="so it is", marked=frozenset(["a"])).certainty
    assert words.startswith("best mean, the same as of a †; no claim, because so it is")


def test_personal_arms_are_marked():
    pairs = [pair("best", "a", 0.5), pair("best", "b", 0.01)]
    found = finding(pairs, marked=frozenset(["best", "a"]))
    assert found.best == "best †"
    assert found.certainty == (
        "best mean; better than b, but not distinguishable from a † on new patients"
    )


CLEAR = [pair("best", "a", 0.01), pair("best", "b", 0.01)]


@pytest.mark.parametrize(
    ("question", "mean", "p", "words"),
    [
        (OWN, 0.834, 0.001, "; but local, without any federation, is better by 3.4 points"),
        (OWN, 0.834, 0.3, "; but local, without any federation, has a mean higher by 3.4 points"),
        (OWN, 0.77, 0.001, "; better than local by 3.0 points"),
        (OWN, 0.77, 0.3, "; not distinguishable from local, without any federation"),
        (EVERYONE, 0.834, 0.001, "; but local, without any federation, is better by 3.4 points"),
        (EVERYONE, 0.5, 0.001, ""),
    ],
)
def test_what_hospitals_have_without_a_federation_is_seen_at_first_sight(question, mean, p, words):
    pairs = [*CLEAR, pair("local", "best", p)]
    certainty = finding(pairs, question=question, alone={"local": mean}).certainty
    assert certainty.endswith(f"Holm, p < 0.05){words}")


def test_a_higher_mean_without_a_federation_is_told_without_any_test():
    certainty = finding(reason="so it is", alone={"local": 0.81}).certainty
    assert certainty.endswith(
        "; but local, without any federation, has a mean higher by 1.0 points"
    )


def test_who_is_not_compared_is_named_with_the_reason():
    absent = {"c": "diverged with seed 3", "d": "has no result of seeds 1 and 2"}
    assert finding(CLEAR, absent=absent).certainty.endswith(
        "; not compared: c diverged with seed 3, d has no result of seeds 1 and 2"
    )
    many = finding(CLEAR, absent={f"x{k}": "lost" for k in range(5)}).certainty
    assert many.endswith("not compared: x0 lost, x1 lost, x2 lost and 2 more")


def test_who_is_not_clearly_better_than_no_image_is_told_so():
    pairs = [pair("best", "a", 0.5), pair("best", "b", 0.01)]
    assert finding(pairs, chance=0.795).certainty == (
        "best mean; better than b, but not distinguishable from a on new patients; NOT clearly "
        "better than an answer without any image (79.5 %)"
    )


def test_a_score_has_its_interval_or_says_that_there_is_none():
    one = Summary(1, 0.873, None, None, None)
    assert describe(one, ACCURACY) == "87.3 % (1 seed: no interval)"
    three = Summary(3, 0.98, 0.02, 0.9303, 1.0297)
    words = "98.0 ± 2.0 % (3 seeds, 95 % interval over re-runs 93.0 to 100.0)"
    assert describe(three, ACCURACY) == words
    words = "98.0 ± 2.0 % (3 seeds, 95 % interval for new patients 90.1 to 99.9)"
    assert describe(three, ACCURACY, (0.901, 0.999)) == words
    assert interval((None, None), ACCURACY) == ""
    low = Summary(3, 0.02, 0.1, -0.228, 0.268)
    assert describe(low, KAPPA).startswith("0.020 ± 0.100 (3 seeds")
    assert interval((-0.228, 0.268), KAPPA) == "-0.228 to 0.268", "kappa may be negative"
    assert interval((-0.228, 0.268), AUC) == "0.000 to 0.268"
