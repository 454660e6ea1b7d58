"""Learning curves of arms that are attacked: an attack a panel, and a group of the page."""

from __future__ import annotations

import html

import pytest
from crossed import CROSSED, crossed_results, write_crossed

from medfl.report.plots.by_attack import unattacked
from medfl.report.plots.convergence import Convergence
from medfl.report.plots.style import arm_styles
from medfl.report.steps import aggregate, build_report

SUM, KRUM = "fedavg", "fedavg+krum"


@pytest.fixture
def subject(tmp_path, fake):
    results = crossed_results(write_crossed(fake, tmp_path), tmp_path)
    look = {"styles": arm_styles(results.arms), "labels": {}}
    (one,) = Convergence().subjects(results, "toy", **look)
    return one


def test_each_attack_has_a_panel_with_the_arms_that_meet_it(subject):
    figure = Convergence().draw(subject)
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == ["nobody attacks", "alie (20 %)", "backdoor (3 attackers)"]
    curves = [[line for line in axis.lines if line.get_marker() != "None"] for axis in figure.axes]
    assert [len(lines) for lines in curves] == [2, 2, 1]
    # Seeds begin at 30 % and end at the means of `crossed.FINAL`.
    ends = [[[round(value) for value in line.get_ydata()] for line in lines] for lines in curves]
    assert ends == [[[30, 82], [30, 62]], [[30, 72], [30, 57]], [[30, 82]]]


def test_an_arm_looks_alike_under_every_attack_and_stands_once_in_the_legend(subject):
    figure = Convergence().draw(subject)
    colours = [
        [line.get_color() for line in axis.lines if line.get_marker() != "None"]
        for axis in figure.axes
    ]
    assert colours[0] == colours[1]
    assert colours[2] == colours[0][:1]
    assert len(set(colours[0])) == 2
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [SUM, KRUM, "no image"]


def test_the_same_arm_without_attackers(subject):
    found = {arm: unattacked(subject.results, arm) for arm in subject.results.arms}
    assert found == {
        SUM: SUM,
        "fedavg+sum+alie-0.2": SUM,
        "fedavg+sum+backdoor-3": SUM,
        KRUM: KRUM,
        "fedavg+krum+alie-0.2": KRUM,
    }


def test_an_arm_without_such_a_twin_keeps_its_own_look(tmp_path, fake):
    cells = [cell for cell in write_crossed(fake, tmp_path) if cell.arm != SUM]
    results = crossed_results(cells, tmp_path)
    assert unattacked(results, "fedavg+sum+alie-0.2") == "fedavg+sum+alie-0.2"


def test_the_page_gets_the_curves_by_who_attacks(subject):
    arms = Convergence().interactive(subject)["arms"]
    assert {arm["name"]: arm["group"] for arm in arms} == {
        SUM: "nobody attacks",
        KRUM: "nobody attacks",
        "fedavg+sum+alie-0.2": "alie (20 %)",
        "fedavg+krum+alie-0.2": "alie (20 %)",
        "fedavg+sum+backdoor-3": "backdoor (3 attackers)",
    }
    colours = {arm["name"]: arm["colour"] for arm in arms}
    assert colours["fedavg+krum+alie-0.2"] == colours[KRUM] != colours[SUM]


def test_the_first_screen_has_the_cost_of_unattacked_arms_and_the_file_that_of_all(tmp_path, fake):
    cells = write_crossed(fake, tmp_path)
    aggregate(cells, tmp_path, crossed=CROSSED)
    build_report(cells, tmp_path, crossed=CROSSED, figures=[])
    page = html.unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
    cost = page.split("Worth and cost")[1].split("</div>")[0]
    assert "fedavg+krum" in cost
    assert "alie" not in cost
    assert "Those of attacked arms: tables/cost.csv." in page
    assert "fedavg+sum+alie-0.2" in (tmp_path / "tables/cost.csv").read_text(encoding="utf-8")
