"""How arms are told apart in every picture."""

from __future__ import annotations

import pytest

from medfl.report.plots.style import arm_styles


def test_styles_tell_fourteen_arms_apart_and_leave_references_grey():
    arms = [f"arm{number}" for number in range(14)]
    styles = arm_styles(arms, references=["arm0"])
    assert len({(style.color, str(style.line)) for style in styles.values()}) == 14
    assert len({style.marker for style in styles.values()}) == 14
    assert [arm for arm, style in styles.items() if style.color == "#777777"] == ["arm0"]


@pytest.mark.parametrize("references", [0, 6])
def test_no_two_of_a_hundred_arms_look_alike(references):
    arms = [f"arm{number}" for number in range(100)]
    styles = arm_styles(arms, arms[:references])
    assert len({(style.color, str(style.line), style.marker) for style in styles.values()}) == 100
