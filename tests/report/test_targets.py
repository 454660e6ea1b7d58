"""Rounds to a target, and of which question each table of one metric is."""

from __future__ import annotations

import json

import pytest

from medfl.report.grid_results import GridResults
from medfl.report.main_tables import metric_table
from medfl.results.columns import COLUMNS
from medfl.results.runs import read_grid_runs


@pytest.fixture
def reached(cells, results_dir):
    """Write after how many rounds each seed of an arm in IID met the target, and read all runs."""

    def write(target=0.7, **arms):
        for arm, rounds in arms.items():
            for seed, count in enumerate(rounds):
                path = results_dir / f"runs/toy/iid/{arm}/seed{seed}/metrics.json"
                record = json.loads(path.read_text())
                record["communication"] |= {"target": target, "rounds_to_target": count}
                path.write_text(json.dumps(record))
        return GridResults(read_grid_runs(cells, results_dir))

    return write


def column(name):
    return next(one for one in COLUMNS if one.name == name and one.title)


def iid(made):
    return {row.label: row.entries[0] for row in made.rows}


def test_rounds_to_the_target_have_no_bold(reached):
    results = reached(fedavg=[2, None, None], fedprox=[9, 9, 9], fedbn=[8, 9, 11])
    cells = iid(metric_table(results, "toy", column("rounds_to_target")))
    assert cells["fedavg"].text == "2.0 (n = 1 of 3)"
    assert not any(cell.best for cell in cells.values())  # no test is made of it


def test_the_target_stands_below_the_table_and_what_meets_it_without_learning(reached):
    results = reached(fedavg=[2, 2, 2])  # without an image: .62 on own patients
    notes = " ".join(metric_table(results, "toy", column("rounds_to_target")).notes)
    assert "Target: 70.0 % in accuracy on validation samples" in notes
    assert "the target is not above" not in notes
    results = reached(target=0.6, fedavg=[0, 0, 0], fedprox=[0, 0, 0])
    notes = " ".join(metric_table(results, "toy", column("rounds_to_target")).notes)
    assert "Target: 60.0 or 70.0 % in accuracy" in notes  # other arms keep .7
    assert "REMARK, IID: the target is not above “no image” (62.0 % on test samples)" in notes


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("test_ece", "Expected calibration error, own patients"),
        ("test_log_loss", "Log loss, own patients"),
        ("best_test_accuracy", "Test accuracy (%) in the round that was best on validation, own "),
        ("worst_client_accuracy", "Worst client's accuracy (%), own patients"),
        ("rounds_to_target", "Rounds to the target on validation, own patients"),
        ("everyone_kappa", "Cohen's kappa, for everyone"),
        ("megabytes", "Traffic, up and down (MB per run)"),
    ],
)
def test_each_table_says_of_which_question_it_is(name, title, reached):
    made = metric_table(reached(), "toy", column(name))
    assert made.title.startswith(title)
    question = " ".join(made.notes)
    assert ("Own patients: " in question) == title.endswith(("own patients", "own "))
    assert ("For everyone: " in question) == title.endswith("for everyone")


def test_a_table_explains_the_line_without_images_only_where_it_has_one(reached):
    results = reached()
    assert "“no image”: " in " ".join(metric_table(results, "toy", column("test_kappa")).notes)
    assert "“no image”: " not in " ".join(metric_table(results, "toy", column("jain")).notes)
