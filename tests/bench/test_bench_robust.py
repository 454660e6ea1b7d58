"""The bench of robust rules measures each of them, on updates as small as can be."""

from __future__ import annotations

from benchmarks import robust
from medfl.chain import RULES


def test_every_rule_is_measured_once():
    found = list(robust.of_rules(10, 1000, pairs=2))
    named = [one.name.split(", 10 ×")[0] for one in found]
    assert named == [*(word for word in RULES if word not in robust.LEFT_OUT), "krum, nnm"]
    assert all(len(one.ratios) == 2 for one in found)
    assert all(ratio > 0 for one in found for ratio in one.ratios)
