"""What a comparison is made of: which runs, whose patients, and what is refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from medfl.errors import MedflError
from medfl.metrics import medical
from medfl.report.grid_results import GridResults
from medfl.report.statistics.pairs import compare_pairs
from medfl.report.steps import aggregate, headline
from medfl.results.columns import EVERYONE, OWN
from medfl.results.predictions import LEFT_OUT, read_left_out, read_predictions
from medfl.results.runs import read_grid_runs


def comparison(cells, folder, partition="iid", question=OWN, partial=False):
    results = GridResults(read_grid_runs(cells, folder, partial=partial))
    return results.comparison("toy", partition, question)


def test_numbers_are_those_of_the_records_and_patients_those_of_the_predictions(cells, results_dir):
    found = comparison(cells, results_dir, question=EVERYONE)
    assert found.arms == ("centralized", "fedprox", "fedavg", "fedbn", "local")
    assert (found.seeds, found.folds, found.patients) == ((0, 1, 2), "shared", 1000)
    shares = np.array(
        [(0.92, 0.93, 0.94), (0.81, 0.83, 0.85), (0.80, 0.82, 0.84), (0.55,) * 3, (0.3, 0.31, 0.32)]
    )
    right = np.arange(1000) < np.round(1000 * shares)[..., None]
    expected, ends = compare_pairs(found.arms, shares, left_out=-1.0 * right / 999)
    for one, other in zip(found.pairs, expected, strict=True):
        assert (one.arm, one.other) == (other.arm, other.other)
        assert one.p == pytest.approx(other.p, rel=1e-4)
        assert one.low == pytest.approx(other.low, abs=1e-6)
    assert found.intervals["fedavg"] == pytest.approx(ends["fedavg"], abs=1e-6)


def without_what_is_kept(path):
    """Make a file of predictions that of a run from before the metrics without each patient."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name not in LEFT_OUT}
    np.savez(path, **arrays)


def test_runs_from_before_give_the_same(cells, results_dir):
    new = comparison(cells, results_dir), comparison(cells, results_dir, question=EVERYONE)
    for path in results_dir.rglob("predictions.npz"):
        without_what_is_kept(path)
        assert read_left_out(path) is None
    old = comparison(cells, results_dir), comparison(cells, results_dir, question=EVERYONE)
    for one, other in zip(new, old, strict=True):
        for pair, again in zip(one.pairs, other.pairs, strict=True):
            assert pair.p == pytest.approx(again.p, rel=1e-5)


def test_what_is_kept_is_each_metric_without_each_patient(results_dir):
    path = results_dir / "runs/toy/iid/fedbn/seed0/predictions.npz"
    kept, arrays = read_left_out(path), read_predictions(path)
    of_all = arrays["view"] == "everyone"
    for view, rows in (("own", ~of_all), ("everyone", of_all)):
        p, y = arrays["probabilities"][rows].astype(float), arrays["label"][rows]
        groups = arrays["group"][rows]
        for place, patient in ((0, kept["patients"][0]), (700, kept["patients"][700])):
            rest = groups != patient
            measured = medical.evaluate(p[rest], y[rest], "abc", brief=True)
            everyone = medical.evaluate(p, y, "abc", brief=True)
            # The mean over patients of accuracy without each is the accuracy itself.
            found = kept[f"left_out_{view}"][0, place]
            assert found == pytest.approx(measured["accuracy"] - everyone["accuracy"], abs=1e-9)


def test_where_each_seed_draws_its_patients_it_is_another_test(cells, results_dir, fake):
    some = [cell for cell in cells if cell.arm in ("fedavg", "fedprox", "centralized")]
    for cell in some:
        folder = results_dir / "runs" / f"toy/{cell.partition}/{cell.arm}/seed{cell.seed}"
        names = np.array([f"seed{cell.seed}-{k}" for k in range(50)])
        fake.write_right(folder, [np.arange(50) < 40], names)
    found = comparison(some, results_dir)
    assert (found.folds, found.patients) == ("own", None)
    values = [(0.92, 0.93, 0.94), (0.81, 0.83, 0.85), (0.80, 0.82, 0.84)]
    # Three clients of ten training samples each, and 100 test samples in the record.
    expected, _ = compare_pairs(found.arms, values, test_per_train=100 / 30)
    assert [pair.p for pair in found.pairs] == pytest.approx([pair.p for pair in expected])
    # A size that is not published makes the test more careful.
    path = results_dir / "runs/toy/iid/fedavg/seed1/metrics.json"
    record = json.loads(path.read_text())
    record["clients"]["0"]["n_train"] = None
    path.write_text(json.dumps(record))
    careful, _ = compare_pairs(found.arms, values, test_per_train=100 / 20)
    found = comparison(some, results_dir)
    assert [pair.p for pair in found.pairs] == pytest.approx([pair.p for pair in careful])


def test_without_predictions_no_claim_is_made(cells, results_dir):
    (results_dir / "runs/toy/iid/fedavg/seed1/predictions.npz").unlink()
    found = comparison(cells, results_dir)
    assert found.pairs == ()
    assert found.reason == "predictions are missing, of toy/iid/fedavg/seed1"
    assert comparison(cells, results_dir, "dirichlet-0.5").pairs


def test_predictions_of_another_store_are_refused_before_anything_is_written(
    cells, results_dir, fake
):
    folder = results_dir / "runs/toy/iid/fedprox/seed1"
    fake.write_right(folder, [np.arange(1000) < 830], np.array([f"q{k}" for k in range(1000)]))
    with pytest.raises(MedflError) as error:
        aggregate(cells, results_dir)
    assert str(folder / "predictions.npz") in str(error.value)
    assert "of another store or split" in str(error.value)
    assert [path.name for path in results_dir.iterdir()] == ["runs"]


def test_damaged_predictions_are_refused_before_anything_is_written(cells, results_dir):
    path = results_dir / "runs/toy/iid/fedprox/seed1/predictions.npz"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(MedflError, match=r"seed1/predictions\.npz cannot be read"):
        aggregate(cells, results_dir)
    assert [path.name for path in results_dir.iterdir()] == ["runs"]


def test_one_seed_is_told_not_to_suffice(cells, results_dir):
    one = [cell for cell in cells if cell.seed == 1]
    found = comparison(one, results_dir)
    assert found.reason == "1 seed cannot tell arms apart (5 arms need 3 seeds)"
    words = headline(aggregate(one, results_dir), results_dir)
    assert f"no claim, because {found.reason}" in words


def ten_seeds(folder, fake):
    cells = fake.grid(["toy"], ["iid"], ["a", "b", "c"], list(range(10)))
    for cell in cells:
        final = {"a": 0.8, "b": 0.7, "c": 0.6}[cell.arm] + 0.01 * (cell.seed % 3)
        fake.write_run(folder, cell, [0.3, final], patients=500)
    return cells


def test_a_failed_run_among_ten_takes_its_arm_out_of_the_tests(tmp_path, fake):
    cells = ten_seeds(tmp_path, fake)
    shutil.rmtree(tmp_path / "runs/toy/iid/b/seed7")
    fake.write_run(tmp_path, fake.Cell("toy", "iid", "b", 7), [0.3], status="diverged")
    found = comparison(cells, tmp_path)
    assert (found.arms, len(found.seeds)) == (("a", "c"), 10)
    assert found.absent == {"b": "diverged with seed 7"}
    words = headline(aggregate(cells, tmp_path), tmp_path)
    assert "not compared: b diverged with seed 7" in words


def test_arms_with_other_seeds_are_not_compared(tmp_path, fake):
    cells = ten_seeds(tmp_path, fake)
    shutil.rmtree(tmp_path / "runs/toy/iid/c/seed0")
    shutil.rmtree(tmp_path / "runs/toy/iid/c/seed4")
    found = comparison(cells, tmp_path, partial=True)
    assert (found.arms, len(found.seeds)) == (("a", "b"), 10)
    assert found.absent == {"c": "has no result of seeds 0 and 4"}


def test_a_metric_that_needs_a_certain_patient_is_not_compared(tmp_path, fake):
    cells = fake.grid(["toy"], ["iid"], ["a", "b", "c"], [0, 1, 2])
    for cell in cells:
        folder = fake.write_run(tmp_path, cell, [0.3, 0.5 + 0.1 * cell.seed])
        path = folder / "metrics.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"primary": "auc_macro"}))
        # Two patients of two classes: without either there is one class, and no area.
        fake.write_right(folder, [np.array([True, cell.seed > 0])])
    found = comparison(cells, tmp_path)
    assert found.reason == "without one of the test patients the metric is not defined"
    assert found.pairs == ()
