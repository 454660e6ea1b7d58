"""What the page, the tables and the last words say of all data sets together."""

from __future__ import annotations

import csv

import pytest

from medfl.report.grid_results import GridResults
from medfl.report.over_datasets import together
from medfl.report.steps import aggregate, build_report, headline
from medfl.results.runs import read_grid_runs


def many(folder, fake, sets, partitions=("iid",)):
    """Two arms on some data sets: `b` is always better, by another number of points each time."""
    names = [f"set{n}" for n in range(sets)]
    cells = fake.grid(names, partitions, ["a", "b", "centralized"], [0])
    for cell in cells:
        place = names.index(cell.dataset)
        gain = {"a": 0.0, "b": 0.01 * (place + 1), "centralized": 0.3}[cell.arm]
        if cell.partition != "iid":
            gain -= 0.005
        fake.write_run(folder, cell, [0.3, 0.5 + gain])
    return cells


def test_two_arms_on_six_sets_are_tested(tmp_path, fake):
    cells = many(tmp_path, fake, 6)
    results = aggregate(cells, tmp_path)
    with (tmp_path / "tables/datasets.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["arm"], row["other"], row["datasets"]) == ("b", "a", "6")
    assert float(row["p"]) == float(row["p_holm"]) == 2 / 2**6
    assert row["separated"] == "yes"
    assert float(row["difference"]) == pytest.approx(0.035), "the mean of 1 to 6 points"
    words = headline(results, tmp_path)
    assert "of 1 pair of arms 1 told apart over 6 data sets" in words
    assert "best mean rank: b, 1.00." in words
    build_report(cells, tmp_path)
    assert (tmp_path / "figures/datasets_own.svg").exists()
    page = (tmp_path / "report.html").read_text()
    assert "Mean ranks over data sets, own patients" in page


def test_with_five_sets_nothing_is_tested_and_the_number_is_said(tmp_path, fake):
    cells = many(tmp_path, fake, 6)
    aggregate(cells, tmp_path)
    five = [cell for cell in cells if cell.dataset != "set5"]
    words = headline(aggregate(five, tmp_path), tmp_path)
    assert (
        "All data sets, own patients: no claim of 5 data sets: with 2 arms, Wilcoxon's test and "
        "Holm's correction can reach 5 % from 6 data sets on."
    ) in words
    assert not (tmp_path / "tables/datasets.csv").exists(), "that of the larger grid is gone"
    build_report(five, tmp_path)
    assert not (tmp_path / "figures/datasets_own.png").exists()


def test_partitions_of_one_set_count_once(tmp_path, fake):
    cells = many(tmp_path, fake, 3, ("iid", "dirichlet-0.5"))
    (found,) = together(GridResults(read_grid_runs(cells, tmp_path)))
    assert found.found.datasets == ("set0", "set1", "set2")
    assert found.found.pairs == ()
    assert found.found.arms == ("b", "a"), "pooled samples do not compete"
