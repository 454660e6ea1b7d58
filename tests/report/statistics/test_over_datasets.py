from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from medfl.report.statistics.over_datasets import needed, over_datasets


def made_up(arms=3, datasets=12, gain=0.0, seed=0):
    random = np.random.default_rng(seed)
    base = random.normal(0.7, 0.1, datasets)
    return {
        f"arm{k}": {
            f"set{n}": float(base[n] + gain * k + random.normal(0, 0.01)) for n in range(datasets)
        }
        for k in range(arms)
    }


@pytest.mark.parametrize(("arms", "sets"), [(2, 6), (3, 7), (4, 8), (7, 10), (12, 12)])
def test_how_many_sets_holm_needs(arms, sets):
    # m pairs: m · 2 / 2ⁿ < .05, so 2ⁿ > 40 m: 40, 120, 240, 840, 2640
    assert needed(arms) == sets


def test_tests_are_scipys():
    values = made_up(gain=0.01)
    found = over_datasets(values)
    assert found.arms == ("arm2", "arm1", "arm0")
    table = {arm: np.array(list(sets.values())) for arm, sets in values.items()}
    assert found.friedman == pytest.approx(stats.friedmanchisquare(*table.values()).pvalue)
    for pair in found.pairs:
        apart = table[pair.arm] - table[pair.other]
        assert pair.difference == pytest.approx(apart.mean())
        assert pair.p == pytest.approx(stats.wilcoxon(apart, method="exact").pvalue)
    assert sum(found.ranks) == pytest.approx(1 + 2 + 3)


def test_equal_numbers_share_the_mean_of_their_places():
    values = {
        "a": {"x": 0.9, "y": 0.5, "z": 0.0},
        "b": {"x": 0.9, "y": 0.7, "z": -0.0},
        "c": {"x": 0.4, "y": 0.6, "z": 0.0},
        "d": {"x": 0.9, "y": 0.5, "z": 0.1},
    }
    table = np.array([list(sets.values()) for sets in values.values()])
    places = stats.rankdata(-table, axis=0).mean(axis=1)
    found = over_datasets(values)
    assert dict(zip(found.arms, found.ranks, strict=True)) == dict(
        zip(values, places.tolist(), strict=True)
    )


def test_with_fewer_sets_nothing_is_tested_and_the_number_is_known():
    found = over_datasets(made_up(datasets=6))
    assert (found.pairs, found.friedman, found.needed) == ((), None, 7)
    assert over_datasets(made_up(datasets=1)) is None
    assert over_datasets(made_up(arms=1)) is None


def test_ties_are_counted_exactly():
    """Differences 1 1 1 -1 2 3 by hundredths: ranks 2.5 (four times), 5, 6; W⁻ = 2.5."""
    sets = [f"set{n}" for n in range(7)]
    apart = [0.01, 0.01, 0.01, -0.01, 0.02, 0.03, 0.0]
    values = {
        "a": dict(zip(sets, np.array(apart) + 0.5, strict=True)),
        "b": dict.fromkeys(sets, 0.5),
    }
    values = {arm: {k: round(v, 2) for k, v in found.items()} for arm, found in values.items()}
    (pair,) = over_datasets(values).pairs
    # Of 64 assignments of signs those with a sum of 2.5 or less: none (0), and one 2.5 of four.
    assert pair.p == pytest.approx(2 * (1 + 4) / 64)


def test_an_arm_without_a_number_somewhere_takes_no_part():
    values = made_up(arms=4)
    del values["arm3"]["set5"]
    assert "arm3" not in over_datasets(values).arms


def test_rows_of_arms_that_are_not_told_apart():
    random = np.random.default_rng(1)
    sets = [f"set{n}" for n in range(12)]
    level = {"a": 0.9, "b": 0.9, "c": 0.8, "d": 0.7, "e": 0.7}
    values = {
        arm: {name: mean + random.normal(0, 0.004) for name in sets} for arm, mean in level.items()
    }
    found = over_datasets(values)
    places = [{found.arms[k] for k in range(a, b + 1)} for a, b in found.together]
    assert places == [{"a", "b"}, {"d", "e"}]
    alike = over_datasets(made_up(arms=3, datasets=9, seed=2))
    assert alike.together == [(0, 2)]
