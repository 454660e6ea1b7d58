"""The choice among points: on validation alone, and of this search alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medfl.errors import MedflError
from medfl.federated.code import run_code
from medfl.federated.fingerprint import fingerprint
from medfl.files import OWN_HASH, sha256_file
from medfl.grid import Cell, load_grid
from medfl.tuning.choose import (
    check_test_samples,
    choose_point,
    chosen_path,
    point_folder,
    read_chosen,
    tuned_run,
)
from medfl.tuning.search import point_config, points_of

CELL = Cell("phantom", "iid", "fedavg", 1)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def grid(points=3, split_file=None, **tune):
    content = {
        "arms_file": None,
        "arm_settings": {"fedavg": {"algorithm": "fedavg"}},
        "datasets": ["phantom"],
        "partitions": ["iid"],
        "arms": ["fedavg"],
        "seeds": [0, 1],
        "num_clients": 2,
        "split_file": split_file,
        "run": {"training": {"learning_rate": 0.2}},
        "tune": {"points": points, **tune},
    }
    return load_grid(content, "grid.yaml")


def train(found, scores, cell=CELL, **origin):
    """The records of points with these values on validation; None: it diverged."""
    for number, (values, score) in enumerate(zip(points_of(found, cell), scores, strict=False), 1):
        # What was seen on test speaks for the other points, and must not be looked at.
        last = {
            "round": 2,
            "val": {"n": 9, "balanced_accuracy": score},
            "test": {"n": 9, "balanced_accuracy": 1 - (score or 0)},
        }
        record = {
            "schema": 3,
            "dataset": cell.dataset,
            "partition": cell.partition,
            "arm": cell.arm,
            "seed": found.tune.seed,
            "status": "diverged" if score is None else "completed",
            "primary": "balanced_accuracy",
            "last": None if score is None else last,
            "provenance": {
                "config_sha256": fingerprint(point_config(found, cell, values)),
                "store_fingerprint": "a" * 64,
                "split_sha256": "b" * 64,
                "code_sha": run_code(point_config(found, cell, values)).sha,
                **origin,
            },
        }
        path = point_folder("results", cell, number) / "metrics.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        ([0.4, 0.5, 0.6], 3),
        ([0.4, 0.6, 0.5], 2),
        ([0.5, 0.5, 0.5], 1),  # of equal ones what is shipped
        ([None, 0.1, 0.1], 2),
        ([None, None, None], 1),
        ([0.0, None, None], 1),
    ],
)
def test_the_best_on_validation_is_chosen(scores, chosen):
    found = grid()
    train(found, scores)
    assert choose_point(found, CELL, "results")["chosen"] == chosen
    config, tuning = tuned_run(found, CELL)
    assert config.training.learning_rate == [0.2, 0.06325, 0.6325][chosen - 1]
    assert (config.seed, config.split_seed) == (1, None)
    path = Path("results/tuning/phantom/iid/fedavg/seed1/chosen.json")
    assert tuning[0] == sha256_file(path)
    assert [one["validation"] for one in tuning[1]["points"]] == scores
    assert (tuning[1]["tuning_seed"], tuning[1]["folds_of_seed"]) == (1000, 1)


def test_a_metric_that_no_point_has_chooses_nothing():
    found = grid()
    train(found, [0.1, 0.1, 0.1])
    for path in Path("results").rglob("metrics.json"):
        record = json.loads(path.read_text())
        del record["last"]["val"]
        path.write_text(json.dumps(record))
    with pytest.raises(MedflError, match="no point has balanced_accuracy on validation samples"):
        choose_point(found, CELL, "results")
    assert not chosen_path(found, CELL, "results").exists()


def test_a_missing_point_and_one_of_other_settings_choose_nothing():
    found = grid()
    train(found, [0.1, 0.2])
    with pytest.raises(MedflError, match="point3 is not the folder of a finished run"):
        choose_point(found, CELL, "results")
    train(found, [0.1, 0.2, 0.3])
    with pytest.raises(MedflError, match="point1 is not point 1 of this search: train it again"):
        choose_point(grid(seed=5), CELL, "results")
    assert not chosen_path(found, CELL, "results").exists()


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        ({"store_fingerprint": "c" * 64}, "point2 was trained on another store than the other"),
        ({"split_sha256": "c" * 64}, "point2 was trained on another split than the other points"),
        ({"code_sha": "c" * 64}, "point2 was trained by code that gives other numbers than today"),
    ],
)
def test_a_point_of_other_data_or_code_is_not_compared(origin, words):
    found = grid()
    train(found, [0.1, 0.2, 0.3])
    content = choose_point(found, CELL, "results")
    assert content["data"] == {"store": "a" * 64, "split": "b" * 64}
    chosen_path(found, CELL, "results").unlink()
    path = point_folder("results", CELL, 2) / "metrics.json"
    record = json.loads(path.read_text())
    record["provenance"] |= origin
    path.write_text(json.dumps(record))
    with pytest.raises(MedflError, match=words):
        choose_point(found, CELL, "results")
    assert not chosen_path(found, CELL, "results").exists()


def test_points_of_another_split_than_lies_there_now_choose_nothing():
    for seed in (0, 1):
        Path(f"seed{seed}.csv").write_text("sample,client,fold\na,0,train\nb,1,test\n")
    found = grid(split_file="seed{seed}.csv")
    train(found, [0.1, 0.2, 0.3])
    with pytest.raises(MedflError, match="point1 was trained on another split than"):
        choose_point(found, CELL, "results")


def test_a_choice_of_another_search_is_no_choice():
    found = grid()
    train(found, [0.1, 0.2, 0.3])
    choose_point(found, CELL, "results")
    path = chosen_path(found, CELL, "results")
    assert read_chosen(found, CELL, path)["chosen"] == 3
    for other in (grid(points=4), grid(seed=5), grid(folds="first")):
        with pytest.raises(MedflError, match="in another search than this grid's: make it with"):
            read_chosen(other, CELL, path)
    content = json.loads(path.read_text())
    points = [{key: one[key] for key in ("values", "status")} for one in content["points"]]
    for wrong in ({"points": points}, {"metric": 3}, {"chosen": None}, {"folds_of_seed": "x"}):
        other = {key: one for key, one in {**content, **wrong}.items() if key != OWN_HASH}
        path.write_text(json.dumps(other))  # as an older medfl would have written it
        with pytest.raises(MedflError, match="in another search than this grid's: make it with"):
            read_chosen(found, CELL, path)
    path.write_text(json.dumps({**content, "values": {"training.learning_rate": 9.0}}))
    with pytest.raises(MedflError, match=r"chosen\.json is damaged or was edited: make it with"):
        read_chosen(found, CELL, path)
    path.write_text("{half")
    with pytest.raises(MedflError, match="cannot be read: make it with"):
        read_chosen(found, CELL, path)
    path.unlink()
    with pytest.raises(MedflError, match="does not exist, and this grid is tuned"):
        tuned_run(found, CELL)


def test_one_choice_for_all_seeds_needs_the_same_test_samples():
    Path("mine").mkdir()
    Path("mine/seed0.csv").write_text("sample,client,fold\na,0,train\nb,1,test\n")
    Path("mine/seed1.csv").write_text("sample,client,fold\na,0,test\nb,1,train\n")
    found = grid(folds="first", split_file="mine/seed{seed}.csv")
    first = Cell("phantom", "iid", "fedavg", 0)
    train(found, [0.1, 0.3, 0.2], first, split_sha256=sha256_file("mine/seed0.csv"))
    with pytest.raises(MedflError, match=r"seed1\.csv has other test samples than seed 0"):
        choose_point(found, first, "results")
    with pytest.raises(MedflError, match=r"seed1\.csv has other test samples than seed 0"):
        check_test_samples(found, first, yet=True)
    # As a person's program may write it: `rows.py` reads it so, too.
    Path("mine/seed1.csv").write_text("\ufeffSample;Client;Fold\r\nb;0; test\r\na;1;val\r\n")
    assert choose_point(found, first, "results")["chosen"] == 2
    assert tuned_run(found, CELL)[0].training.learning_rate == 0.06325
