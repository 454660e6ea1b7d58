"""What a run on people's own data writes: no file that is passed on counts few people."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from federations import small_store

from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated.hold_back import hold_back_in
from medfl.federated.run import execute
from medfl.files import OWN_HASH, is_whole
from medfl.partition import Split
from medfl.results.intact import check_file
from medfl.results.record import read_record
from medfl.store import Sample, write_store

SIZES = [(40, 15, 20), (50, 20, 25), (60, 12, 4), (70, 30, 40)]  # train, val, test: 4 are few


@pytest.fixture
def place(tmp_path: Path) -> Path:
    n = sum(map(sum, SIZES))
    memory = small_store(n, classes=2, size=8)
    samples = [
        Sample(f"s{i}", (memory.info.classes[k],), f"g{i}") for i, k in enumerate(memory.labels)
    ]
    store = write_store(tmp_path / "store", memory.info, samples, memory.images)
    owners = np.concatenate([np.full(sum(one), k) for k, one in enumerate(SIZES)])
    folds = np.concatenate([np.repeat(["train", "val", "test"], one) for one in SIZES])
    split = Split(store.ids, owners, folds, "custom", 0, len(SIZES), 0)
    (tmp_path / "custom").mkdir()
    split.write(tmp_path / "custom" / "seed0.csv")
    return tmp_path


def config_of(minimum: int | None, dataset: str = "hospital", **settings) -> FederatedConfig:
    settings = {"rounds": 2, "model": "logistic", "num_clients": 4, "device": "cpu", **settings}
    given = {"dataset": dataset, "partition": "custom", "report": {"minimum_cell": minimum}}
    return FederatedConfig(**given, **settings)


def run(place: Path, minimum: int | None, dataset: str = "hospital", **settings):
    config = config_of(minimum, dataset, **settings)
    return execute(config, place / "store", place / "custom" / "seed0.csv", place / "run")


def rows(place: Path, name: str) -> list[dict[str, str]]:
    with (place / "run" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def check_small_ones_are_gone(place: Path) -> None:
    """By hand: client 2 has 4 test samples; 12 + 4 moves against client 0's 15 and 20."""
    record = json.loads((place / "run" / "metrics.json").read_text())
    assert record["minimum_cell"] == 10
    gone = {k for k in range(4) if record["clients"][str(k)]["test"]["accuracy"] is None}
    assert gone == {0, 2}
    for k, client in record["clients"].items():
        assert (client["n_test"] is None) == (client["test_patients"] is None) == (int(k) in gone)
        assert client["n_train"] == SIZES[int(k)][0]
    sizes = [(one["train"], one["val"], one["test"]) for one in record["heterogeneity"]["clients"]]
    assert sizes == [(40, None, None), (50, 20, 25), (60, None, None), (70, 30, 40)]
    assert record["heterogeneity"]["folds"] == {"train": 220, "val": 77, "test": 89}
    assert record["fairness"]["left_out"] == {"0": None, "2": None}
    assert record["fairness"]["n"] == 2
    for row in rows(place, "clients.csv"):
        hidden = int(row["client"]) in gone
        numbers = {row[name] for name in ("n", "patients", "accuracy", "kappa", "log_loss")}
        assert (numbers == {""}) == hidden, row
        assert row["train_samples"] == str(SIZES[int(row["client"])][0])
    tests = [row for row in rows(place, "clients.csv") if row["fold"] == "test" and row["n"]]
    for row in (one for one in rows(place, "rounds.csv") if one["evaluated"] == "1"):
        worst = min(float(one["accuracy"]) for one in tests if one["round"] == row["round"])
        assert float(row["worst_client_accuracy"]) == worst
        assert row["worst_client_n_test"] in ("25", "40")


def test_peoples_own_data_are_written_without_small_cells(place):
    run(place, None)
    check_small_ones_are_gone(place)
    read = read_record(place / "run" / "metrics.json")
    for name in read.files:
        check_file(place / "run", name, read)
    assert "fewer than 10" in (place / "run" / "run.log").read_text()


def test_a_published_set_and_a_minimum_of_0_hold_nothing_back(place):
    record = run(place, None, dataset="ham10000-64")
    assert "minimum_cell" not in record
    assert record["clients"]["2"]["n_test"] == 4
    assert [one["test"] for one in record["heterogeneity"]["clients"]] == [20, 25, 4, 40]


@pytest.mark.parametrize("last", [True, False])
def test_a_finished_run_is_held_back_without_training_again(place, last):
    first = run(place, 0, evaluate_every=1 if last else 2)
    assert first["clients"]["2"]["n_test"] == 4
    trained = (place / "run" / "model.safetensors").stat().st_mtime_ns
    again = run(place, None, evaluate_every=1 if last else 2)
    assert (place / "run" / "model.safetensors").stat().st_mtime_ns == trained
    assert again["timing"] == first["timing"]
    check_small_ones_are_gone(place)
    told = json.loads((place / "run" / "metrics.json").read_text())
    assert is_whole(told)
    assert OWN_HASH in told
    read = read_record(place / "run" / "metrics.json")
    for name in read.files:
        check_file(place / "run", name, read)
    assert run(place, None, evaluate_every=1 if last else 2) == again


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("clients.csv", b"\xff\xfe\n"),
        ("clients.csv", b"round,client\n0,1\n"),
        ("clients.csv", b"round,client,fold,n,patients,accuracy\n0,1,test,x,1,0.5\n"),
        ("rounds.csv", b"a" * 200_000),
        ("rounds.csv", b"seconds\n1\n"),
        ("rounds.csv", None),
    ],
)
def test_a_damaged_table_is_told_where_an_older_record_has_no_hash_of_it(place, name, content):
    run(place, 0)
    folder = place / "run"
    record = json.loads((folder / "metrics.json").read_text())
    for key in ("files", OWN_HASH):
        del record[key]
    (folder / "metrics.json").write_text(json.dumps(record))
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    others = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".log"}
    split = place / "custom" / "seed0.csv"
    with pytest.raises(MedflError, match=r"run: its rounds.csv or clients.csv cannot be read \("):
        hold_back_in(folder, config_of(None), place / "store", split, 10)
    there = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".log"}
    assert there == others


def test_who_may_be_the_worst_is_asked_anew_with_the_same_minima(place):
    """Of the clients that are left, with 25 and 40 test patients, one has the 30 that are asked."""
    enough = {"min_test_samples": 5, "min_test_patients": 30}
    run(place, 0, fairness=enough)
    record = run(place, None, fairness=enough)
    assert (record["fairness"]["n"], record["fairness"]["worst_client"]) == (1, "3")
    assert set(record["fairness"]["left_out"]) == {"0", "1", "2"}


def test_what_was_held_back_comes_only_from_a_new_run(place):
    run(place, None)
    record = run(place, 0)
    assert record["clients"]["2"]["n_test"] == 4
    assert record["fairness"]["n"] == 3


def test_no_hash_in_the_record_is_of_the_counts_that_are_held_back(place):
    """A hash of the whole tables would let a reader try the few counts that fit."""
    run(place, 0)
    whole = json.loads((place / "run" / "metrics.json").read_text())
    run(place, None)
    told = json.loads((place / "run" / "metrics.json").read_text())
    assert told["files"]["clients.csv"] != whole["files"]["clients.csv"]
    assert whole[OWN_HASH] not in json.dumps(told)
