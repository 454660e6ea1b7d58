"""Arms and evidence: what is drawn where, and in which colour."""

from __future__ import annotations

import pytest

from medfl.report.grid_results import GridResults
from medfl.report.plots.evidence import draw_evidence
from medfl.report.plots.evidence_marks import FIRST, LIKE, WORSE, standing_colour
from medfl.results.columns import EVERYONE, OWN
from medfl.results.runs import read_grid_runs


@pytest.fixture
def results(cells, results_dir):
    return GridResults(read_grid_runs(cells, results_dir))


def test_colours_say_what_the_tests_say(results):
    """As in the tables: ``test_tables.py`` has why."""

    def colours(partition, question):
        arms = ("fedavg", "fedprox", "fedbn", "local", "centralized")
        return [standing_colour(results, "toy", partition, arm, question) for arm in arms]

    assert colours("iid", OWN) == [LIKE, LIKE, LIKE, WORSE, WORSE]
    assert colours("iid", EVERYONE) == [LIKE, LIKE, WORSE, WORSE, WORSE]
    assert colours("dirichlet-0.5", OWN) == [WORSE, WORSE, FIRST, WORSE, WORSE]
    assert colours("dirichlet-0.5", EVERYONE) == [FIRST, WORSE, WORSE, WORSE, WORSE]


def test_a_row_for_each_arm_with_both_answers_the_best_on_own_patients_first(results):
    figure = draw_evidence(results, "toy")
    iid = figure.axes[0]
    names = [label.get_text() for label in iid.get_yticklabels()]
    # Means over both partitions: 93, 82.5, 77, 73 and 51.
    assert names == ["centralized", "fedbn †", "fedavg", "fedprox", "local †"]
    marks = [line for line in iid.lines if line.get_marker() in ("o", "D")]
    at = [(line.get_xdata()[0], line.get_markerfacecolor() != "white") for line in marks]
    assert [x for x, filled in at if filled] == pytest.approx([93, 85, 82, 83, 61])
    assert [x for x, filled in at if not filled] == pytest.approx([93, 55, 82, 83, 31])
    assert [line.get_marker() for line in marks[:2]] == ["D", "D"], "pooled samples"
    dotted = [line.get_xdata()[0] for line in iid.lines if line.get_linestyle() == ":"]
    assert dotted == pytest.approx([62, 50]), "what no image is worth, by each question"


def test_intervals_are_those_of_the_claims_and_without_them_the_spread_has_ends(cells, results_dir):
    some = [cell for cell in cells if cell.seed < 2]
    two = GridResults(read_grid_runs(some, results_dir))
    assert two.comparison("toy", "iid", OWN).pairs == ()
    axis = draw_evidence(two, "toy").axes[0]
    assert len(axis.containers) > 0, "error bars"
    all_seeds = GridResults(read_grid_runs(cells, results_dir))
    axis = draw_evidence(all_seeds, "toy").axes[0]
    assert len(axis.containers) == 0
    low, high = all_seeds.comparison("toy", "iid", OWN).intervals["fedavg"]
    ends = [list(line.get_xdata()) for line in axis.lines]
    assert pytest.approx([100 * low, 100 * high]) in ends


def test_nothing_is_drawn_without_a_finished_run(tmp_path, fake):
    cells = fake.grid(["toy"], ["iid"], ["fedavg"], [0])
    fake.write_run(tmp_path, cells[0], [0.3, 0.2], status="diverged")
    assert draw_evidence(GridResults(read_grid_runs(cells, tmp_path)), "toy") is None
