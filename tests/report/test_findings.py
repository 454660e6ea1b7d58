"""The words on how far the best arm stands out: no more than the tests over seeds allow."""

from __future__ import annotations

import pytest

from medfl.report.findings import Finding, describe, interval
from medfl.report.statistics import PairedTest, Ranking, Summary


def finding(tests, seeds=3, role="global"):
    """The arm `best` against others, with the tests' outcomes given."""
    order = ("best", *(test.arm for test in tests))
    summaries = {arm: Summary(seeds, 0.8, 0.01, 0.775, 0.825) for arm in order}
    return Finding("toy", "iid", role, Ranking(order, summaries, tuple(tests)))


CLEAR = {"n": 3, "difference": 0.1, "p": 0.001, "p_holm": 0.004}
UNCLEAR = {"n": 3, "difference": 0.1, "p": 0.02, "p_holm": 0.08}  # Holm undoes p < 0.05


@pytest.mark.parametrize(
    ("tests", "words"),
    [
        ([], "the only arm of its group"),
        (
            [PairedTest("a", **CLEAR), PairedTest("b", **CLEAR)],
            "better than every other arm (paired t-tests over seeds, Holm, p < 0.05)",
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


def test_personal_arms_are_marked():
    found = finding([PairedTest("a", **UNCLEAR)], role="personal")
    assert found.best == "best †"
    assert found.certainty == "best mean; not distinguishable from a †"


def test_a_score_has_its_interval_or_says_that_there_is_none():
    assert describe(Summary(1, 0.873, None, None, None)) == "87.3 % (1 seed: no interval)"
    three = Summary(3, 0.98, 0.02, 0.9303, 1.0297)
    assert describe(three) == "98.0 ± 2.0 % (3 seeds, 95 % interval 93.0 to 100.0)"
    assert interval(Summary(1, 0.873, None, None, None)) == ""
