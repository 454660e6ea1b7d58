"""The words on how far the best arm stands out: no more than the tests over seeds allow."""

from __future__ import annotations

import pytest

from medfl.report.findings import Finding, describe, interval
from medfl.report.statistics import PairedTest, Ranking, Summary
from medfl.results.columns import ACCURACY, AUC, KAPPA, OWN


def finding(tests, seeds=3, **keys):
    """The arm `best` against others, with the tests' outcomes given."""
    order = ("best", *(test.arm for test in tests))
    below = {"best": 0.0} | {test.arm: test.difference for test in tests}
    summaries = {arm: Summary(seeds, 0.8 - below[arm], 0.01, 0.775, 0.825) for arm in order}
    return Finding("toy", "iid", OWN, ACCURACY, Ranking(order, summaries, tuple(tests)), **keys)


CLEAR = {"n": 3, "difference": 0.1, "p": 0.001, "p_holm": 0.004}
UNCLEAR = {"n": 3, "difference": 0.1, "p": 0.02, "p_holm": 0.08}  # Holm undoes p < 0.05


@pytest.mark.parametrize(
    ("tests", "words"),
    [
        ([], "the only arm that is ranked"),
        (
            [PairedTest("a", **CLEAR), PairedTest("b", **CLEAR)],
            "better than every other arm in re-runs on these test patients, which says nothing of "
            "new patients (paired t-tests over seeds, Holm, p < 0.05)",
        ),
        (
            [PairedTest("a", **UNCLEAR), PairedTest("b", **CLEAR)],
            "best mean; not distinguishable from a",
        ),
        (
            [PairedTest(arm, **UNCLEAR) for arm in "abcd"],
            "best mean; not distinguishable from any of the other 4",
        ),
        (
            [PairedTest("a", 2, 0.1, None)],
            "best mean; 2 seeds cannot tell it from the others (a paired test needs 3)",
        ),
        (
            [PairedTest("a", 3, 0.1, None)],
            "best mean; the differences between seeds have no spread, so no test can be made",
        ),
    ],
)
def test_how_far_the_best_stands_out(tests, words):
    seeds = tests[0].n if tests else 3
    assert finding(tests, seeds).certainty == words


def test_an_arm_with_the_same_mean_is_named_beside_the_best():
    tests = [PairedTest("a", 1, 0.0, None), PairedTest("b", 1, 0.0, None)]
    tests.append(PairedTest("c", 1, 0.1, None))
    words = finding(tests, 1, marked=frozenset(["b"])).certainty
    assert words.startswith("best mean, the same as of a and b †; 1 seed cannot tell it")


def test_personal_arms_are_marked():
    found = finding([PairedTest("a", **UNCLEAR)], marked=frozenset(["best", "a"]))
    assert found.best == "best †"
    assert found.certainty == "best mean; not distinguishable from a †"


def test_who_is_not_clearly_better_than_no_image_is_told_so():
    found = finding([PairedTest("a", **UNCLEAR)], chance=0.795)
    assert found.certainty == (
        "best mean; not distinguishable from a; NOT clearly better than an answer without any "
        "image (79.5 %)"
    )


def test_a_score_has_its_interval_or_says_that_there_is_none():
    one = Summary(1, 0.873, None, None, None)
    assert describe(one, ACCURACY) == "87.3 % (1 seed: no interval)"
    three = Summary(3, 0.98, 0.02, 0.9303, 1.0297)
    words = "98.0 ± 2.0 % (3 seeds, 95 % interval over re-runs 93.0 to 100.0)"
    assert describe(three, ACCURACY) == words
    assert interval(one, ACCURACY) == ""
    low = Summary(3, 0.02, 0.1, -0.228, 0.268)
    assert describe(low, KAPPA).startswith("0.020 ± 0.100 (3 seeds")
    assert interval(low, KAPPA) == "-0.228 to 0.268", "kappa may be negative"
    assert interval(low, AUC) == "0.000 to 0.268"
