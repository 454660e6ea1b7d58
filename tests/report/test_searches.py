"""What was searched, on the page: choices and best-of-k curves, by hand and over all subsets."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import pytest

from medfl.report.grid_results import GridResults
from medfl.report.searches import best_of_k, mean_curves, searches_of
from medfl.report.steps import build_report
from medfl.results.runs import read_grid_runs


def search(seed, chosen, *scores):
    points = [
        {
            "values": {"training.learning_rate": 0.1 * number, "mu": number},
            "status": "diverged" if score is None else "completed",
            "validation": score,
        }
        for number, score in enumerate(scores, 1)
    ]
    values = points[chosen - 1]["values"]
    about = {"metric": "accuracy", "tuning_seed": 1000, "folds_of_seed": seed, "data": {}}
    return {"chosen": chosen, "values": values, **about, "points": points}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, fake):
    """A report of two arms with three seeds; in one the first seed's choice stands for all."""
    folder = tmp_path_factory.mktemp("tuned")
    found = {
        ("fed_$avg", 0): search(0, 1, 0.5, 0.25),
        ("fed_$avg", 1): search(1, 2, None, 0.25),
        ("fed_$avg", 2): search(2, 1, 0.75, 0.5),
        **{("fedbn", seed): search(0, 2, 0.25, 0.5) for seed in range(3)},
    }
    cells = fake.grid(["toy"], ["iid"], ["fed_$avg", "fedbn"], [0, 1, 2])
    for cell in cells:
        run = fake.write_run(folder, cell, [0.3, 0.6 + 0.01 * cell.seed])
        record = json.loads((run / "metrics.json").read_text())
        record["provenance"]["tuning"] = found[cell.arm, cell.seed]
        record["provenance"]["tuned_sha256"] = "e" * 64
        (run / "metrics.json").write_text(json.dumps(record))
    build_report(cells, folder)
    return folder, GridResults(read_grid_runs(cells, folder))


def test_by_hand():
    # k = 2 of three: the pairs (1, 2), (1, 4), (2, 4) have the best 2, 4, 4.
    assert best_of_k([4.0, 1.0, 2.0]) == pytest.approx([7 / 3, 10 / 3, 4])


def test_it_is_the_mean_over_all_subsets():
    values = [0.31, 0.7, 0.55, 0.7, 0.12]
    means = []
    for k in range(1, 6):
        best = [max(drawn) for drawn in itertools.combinations(values, k)]
        means.append(sum(best) / len(best))
    assert best_of_k(values) == pytest.approx(means)


def test_where_only_diverged_points_may_be_drawn_nothing_is_expected():
    curve = best_of_k([None, 0.5, None])
    assert [math.isnan(value) for value in curve] == [True, True, False]
    assert curve[2] == 0.5


def test_seeds_that_share_a_search_count_once(tuned):
    found = searches_of(tuned[1])
    assert [(cell.arm, cell.seed) for cell in found] == [
        ("fed_$avg", 0),
        ("fed_$avg", 1),
        ("fed_$avg", 2),
        ("fedbn", 0),
    ]
    assert mean_curves(found)["toy", "iid", "fedbn"] == pytest.approx([0.375, 0.5])


def test_the_page_has_the_choices_in_a_fold_below_the_answer(tuned):
    folder, _ = tuned
    page = Path(folder, "report.html").read_text()
    fold = page.split('<details id="tuning">')[1].split("</details>")[0]
    assert page.index('id="tuning"') > page.index('id="ranking"')
    assert "Every arm was trained at 2 points of its own search space" in fold
    first, second = fold.split("<tbody>")[1].split("</tr>")[:2]
    # As shipped: the mean of 0.5 and 0.75, since one seed diverged there; chosen: 0.5, 0.25, 0.75.
    cells = "<td>2</td><td>Accuracy (%)</td><td>62.5 (of 2 of 3)</td><td>50.0</td>"
    assert ">fed_$avg</th>" in first
    assert cells in first
    assert "learning_rate = 0.1, mu = 1 (as shipped): seeds 0, 2<br>" in first
    assert "learning_rate = 0.2, mu = 2: seed 1</td>" in first
    assert "<td>25.0</td><td>50.0</td>" in second
    assert "mu = 2: seed 0</td>" in second
    assert "<img" in fold
    assert {"best-of-k.png", "best-of-k.svg"} <= {
        path.name for path in Path(folder, "figures").iterdir()
    }


def test_the_page_of_an_untuned_grid_says_nothing_of_it(tmp_path, fake):
    cells = fake.grid(["toy"], ["iid"], ["fedavg", "fedbn"], [0])
    for cell in cells:
        fake.write_run(tmp_path, cell, [0.3, 0.6])
    build_report(cells, tmp_path)
    assert 'id="tuning"' not in (tmp_path / "report.html").read_text()
    assert not (tmp_path / "figures/best-of-k.png").exists()
