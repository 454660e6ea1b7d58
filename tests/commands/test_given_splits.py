"""Splits from others: `medfl run --split`, `split_file` of a grid, and what medfl spares."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import yaml
from toy_stores import write_small_phantom

from medfl.cli import main
from medfl.partition.place import sidecar

HOSPITALS = ("Ulm", "Bern", "Aix")
RUN = {
    "dataset": "phantom",
    "partition": "custom",
    "federated_learning": {"rounds": 1, "local_steps": 1},
    "model": {"name": "logistic"},
    "training": {"device": "cpu"},
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with a store of 60 samples, and a colleague's split of 57 of them."""
    monkeypatch.chdir(tmp_path)
    write_small_phantom(tmp_path)
    rows = [
        [("train", "train", "val", "test")[i // 3 % 4], f"s{i}", HOSPITALS[i % 3], "x"]
        for i in reversed(range(57))
    ]
    with open("anna.csv", "w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, delimiter=";").writerows([["fold", "sample", "client", "note"], *rows])
    return tmp_path


def run(capsys, *more: str, **changes: object) -> tuple[int, str]:
    Path("run.yaml").write_text(yaml.safe_dump({**RUN, **changes}))
    status = main(["run", "--config", "run.yaml", "--output-dir", "out", *more])
    return status, capsys.readouterr().err


def record() -> dict:
    return json.loads(Path("out/metrics.json").read_text())


def test_what_the_split_leaves_out_is_an_error_until_it_is_asked_for(place, capsys):
    before = Path("anna.csv").read_bytes()
    status, error = run(capsys, "--split", "anna.csv")
    assert status == 2
    assert "anna.csv lacks 3 of the 60 samples of data/prepared/phantom, such as `s57`" in error
    assert "allow_left_out: true" in error
    status, error = run(capsys, "--split", "anna.csv", allow_left_out=True)
    assert status == 0, error
    assert record()["provenance"]["split_left_out"] == 3
    assert "3 samples that the split does not name are left out" in Path("out/run.log").read_text()
    # 57 = 19 for each hospital; five of each fold but four of test, and train twice.
    measured = record()["heterogeneity"]
    assert measured["client_names"] == sorted(HOSPITALS)
    assert measured["samples"] == 57
    assert measured["folds"] == {"train": 30, "val": 15, "test": 12}
    assert [row["train"] for row in measured["clients"]] == [10, 10, 10]
    assert Path("anna.csv").read_bytes() == before
    assert not sidecar("anna.csv").exists()


def test_the_number_of_clients_is_the_files_or_it_is_refused(place, capsys):
    changes = {"partition": "iid", "allow_left_out": True, "split_file": "anna.csv"}
    status, error = run(capsys, **changes)
    assert status == 2
    assert "made with num_clients 3, but the run has 10: give the run num_clients 3" in error
    learning = {**RUN["federated_learning"], "num_clients": 3}
    status, error = run(capsys, **changes, federated_learning=learning)
    assert status == 0, error


def test_an_edited_split_is_another_run(place, capsys):
    assert run(capsys, "--split", "anna.csv", allow_left_out=True)[0] == 0
    text = Path("anna.csv").read_text(encoding="utf-8-sig")
    Path("anna.csv").write_text(text.replace("train;s0;Ulm", "val;s0;Ulm"))
    status, error = run(capsys, "--split", "anna.csv", allow_left_out=True)
    assert status == 2
    assert "other code or data (split_sha256)" in error


def test_a_grid_takes_the_same_file_for_all_seeds(place, capsys):
    grid = {
        "arms_file": None,
        "arm_settings": {"fedavg": {"algorithm": "fedavg"}},
        "datasets": ["phantom"],
        "partitions": ["custom"],
        "arms": ["fedavg"],
        "seeds": [0, 5],
        "split_file": "anna.csv",
        "allow_left_out": True,
        "run": {key: RUN[key] for key in ("federated_learning", "model", "training")},
    }
    Path("grid.yaml").write_text(yaml.safe_dump(grid))
    cell = "run --grid grid.yaml --dataset phantom --partition custom --arm fedavg --seed 5"
    assert main([*cell.split(), "--output-dir", "out"]) == 0
    assert "anna.csv is used as given" in capsys.readouterr().err
    assert yaml.safe_load(Path("out/config.yaml").read_text())["split_file"] == "anna.csv"
    assert not Path("data/splits").exists()


def test_clients_that_may_be_patients_are_not_named(place, capsys):
    rows = [f"s{i},name{i},{('train', 'val', 'test')[i % 3]}\n" for i in range(60)]
    Path("anna.csv").write_text("sample,client,fold\n" + "".join(rows))
    status, error = run(capsys, "--split", "anna.csv")
    assert status == 2
    assert "each client holds one group (patient), so its names may be patients'" in error
    assert "name1" not in error


@pytest.mark.parametrize("edited", [False, True])
def test_medfl_split_writes_over_its_own_only(place, capsys, edited):
    command = "split phantom --partition iid --num-clients 2 --output"
    path = Path("anna.csv")
    if edited:
        path = Path("mine.csv")
        assert main([*command.split(), "mine.csv"]) == 0
        assert main([*command.split(), "mine.csv"]) == 0  # its own it makes again
        lines = path.read_text().splitlines()
        path.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    before = path.read_bytes()
    assert main([*command.split(), str(path)]) == 2
    words = "was edited" if edited else "was not made by medfl"
    assert f"{path} {words}, and medfl would write there" in capsys.readouterr().err
    assert path.read_bytes() == before
