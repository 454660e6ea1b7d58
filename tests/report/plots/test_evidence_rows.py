"""Arms and evidence as rows of the page: what stands where, and what is said of it."""

from __future__ import annotations

import pytest

from medfl.report.grid_results import GridResults
from medfl.report.plots.evidence_marks import LIKE, STANDINGS, WORSE
from medfl.report.plots.evidence_rows import evidence_rows
from medfl.results.runs import read_grid_runs


@pytest.fixture
def results(cells, results_dir):
    return GridResults(read_grid_runs(cells, results_dir))


def places(results, numbers):
    """Where numbers lie, in per cent of an axis from the least number to the greatest.

    The least is that of local for everyone in the other partition, .41 - .3; the greatest is the
    upper end of an interval. An axis has a 25th more on both sides.
    """
    ends = []
    for part in ("iid", "dirichlet-0.5"):
        for question in ("own", "everyone"):
            for pair in results.comparison("toy", part, question).intervals.values():
                ends += [100 * end for end in pair]
    room = 0.04 * (max(ends) - min(ends))
    low, wide = min(ends) - room, max(ends) - min(ends) + 2 * room
    return [pytest.approx(100 * (one - low) / wide, abs=0.06) for one in numbers]


def test_rows_are_the_arms_the_best_first_with_both_answers(results):
    found = evidence_rows(results, "toy")
    iid, dirichlet = found["panels"]
    assert (iid["title"], dirichlet["title"]) == ("IID", "Dirichlet α = 0.5")
    names = [row["name"] for row in iid["rows"]]
    assert names == ["centralized", "fedbn †", "fedavg", "fedprox", "local †"]
    own = [row["marks"][0]["x"] for row in iid["rows"]]
    everyone = [row["marks"][1]["x"] for row in iid["rows"]]
    assert own == places(results, [93, 85, 82, 83, 61])
    assert everyone == places(results, [93, 55, 82, 83, 31])
    assert [one["x"] for one in iid["chances"]] == places(results, [62, 50])
    assert [row["marks"][0]["pooled"] for row in iid["rows"]] == [True, *[False] * 4]
    assert [(one["own"], one["y"]) for one in iid["rows"][0]["marks"]] == [(True, 25), (False, 75)]


def test_a_mark_says_its_numbers_and_what_is_sure(results):
    row = evidence_rows(results, "toy")["panels"][0]["rows"][2]  # fedavg in IID
    low, high = results.comparison("toy", "iid", "own").intervals["fedavg"]
    mark = row["marks"][0]
    words = f"own patients: 82.0 ({100 * low:.1f} to {100 * high:.1f}); {STANDINGS[LIKE]}"
    assert (mark["words"], mark["colour"]) == (words, LIKE)
    assert list(mark["ends"]) == places(results, [100 * low, 100 * high])
    assert mark["tested"]


def test_ticks_are_round_numbers_within_the_axis(results):
    ticks = evidence_rows(results, "toy")["ticks"]
    assert [one["text"] for one in ticks] == ["20", "40", "60", "80"]
    assert [one["x"] for one in ticks] == places(results, [20, 40, 60, 80])


def test_without_a_test_the_line_is_the_spread_and_has_ends(tmp_path, fake):
    """One model for everyone: .79, .80 and .81 of fedavg alone, in which nothing is tested."""
    cells = fake.grid(["toy"], ["iid", "dirichlet-0.5"], ["fedavg"], [0, 1, 2])
    for cell in cells[:3]:
        fake.write_run(tmp_path, cell, [0.3, 0.79 + 0.01 * cell.seed])
    found = evidence_rows(GridResults(read_grid_runs(cells, tmp_path, partial=True)), "toy")
    iid, empty = found["panels"]
    [mark] = iid["rows"][0]["marks"]
    assert mark["words"] == f"80.0 (79.0 to 81.0); {STANDINGS[WORSE]}"
    assert not mark["tested"]
    assert (iid["empty"], empty["empty"]) == ("", "no finished run")
    assert [one["words"] for one in found["key"]] == list(STANDINGS.values())


def test_there_are_no_rows_without_a_finished_run(tmp_path, fake):
    cells = fake.grid(["toy"], ["iid"], ["fedavg"], [0])
    fake.write_run(tmp_path, cells[0], [0.3, 0.2], status="diverged")
    assert evidence_rows(GridResults(read_grid_runs(cells, tmp_path)), "toy") is None
