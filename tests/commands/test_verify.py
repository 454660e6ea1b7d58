"""`medfl verify` finds a flipped byte in every file whose hash is noted, and changes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from medfl.cli import main
from medfl.datasets.registry import get
from medfl.errors import MedflError
from medfl.results import load
from medfl.results.record import read_record
from medfl.store import Sample, write_store
from medfl.store.raw import RawData

STORE, SPLIT = "data/prepared/phantom", "data/splits/phantom/iid/clients2/seed0"
RUN = "results/runs/phantom/iid/fedavg/seed0"
GRID = {
    "arms_file": None,
    "arm_settings": {"fedavg": {"algorithm": "fedavg"}},
    "datasets": ["phantom"],
    "partitions": ["iid"],
    "arms": ["fedavg"],
    "seeds": [0],
    "num_clients": 2,
    "run": {
        "federated_learning": {"rounds": 1, "local_steps": 1},
        "model": {"name": "logistic"},
        "training": {"device": "cpu"},
    },
}
TRAIN = ["run", "--grid", "grid.yaml", "--dataset", "phantom", "--partition", "iid"]
TRAIN += ["--arm", "fedavg", "--seed", "0", "--output-dir", RUN]
ALL = ["verify", "--grid", "grid.yaml"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store, its split, and a grid of one run, made once."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        info = get("phantom").info(RawData([], [], 60, ""))
        samples = [Sample(f"s{i}", (info.classes[i % 5],), group=f"p{i}") for i in range(60)]
        images = np.random.default_rng(0).integers(0, 256, (60, 1, 8, 8), dtype=np.uint8)
        write_store(folder / STORE, info, samples, images)
        (folder / "grid.yaml").write_text(yaml.safe_dump(GRID))
        options = ["--partition", "iid", "--seed", "0", "--num-clients", "2"]
        assert main(["split", "phantom", *options, "--output", f"{SPLIT}.csv"]) == 0
        assert main(TRAIN) == 0
    return folder


@pytest.fixture
def place(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def flip(path, place=-3):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def state(folder):
    return {
        str(path): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_all_is_intact_and_stays_as_it_is(place, capsys):
    before = state(place)
    assert main(ALL) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"{STORE}: intact",
        f"{SPLIT}.csv: intact",
        f"{RUN}: intact",
        "3 intact, 0 damaged, 0 unknown",
    ]
    for command in (["verify"], ["verify", "phantom"]):
        assert main(command) == 0
        assert capsys.readouterr().out.splitlines() == [
            *lines[:2],
            "2 intact, 0 damaged, 0 unknown",
        ]
    for folder in ("results", RUN):
        assert main(["verify", "--results", folder]) == 0
        assert capsys.readouterr().out.splitlines()[:-1] == [lines[2]]
    assert state(place) == before


@pytest.mark.parametrize(
    ("name", "thing", "words"),
    [
        ("images.npy", STORE, "medfl prepare phantom --force"),
        ("samples.csv", STORE, "medfl prepare phantom --force"),
        (".csv", f"{SPLIT}.csv", "make the split again"),
        (".heterogeneity.json", f"{SPLIT}.csv", "make the split again"),
        ("metrics.json", RUN, "train it again"),
        ("rounds.csv", RUN, "train it again"),
        ("clients.csv", RUN, "train it again"),
        ("model.safetensors", RUN, "train it again"),
        ("predictions.npz", RUN, "train it again"),
    ],
)
def test_a_flipped_byte_is_found_and_said_how_to_mend(place, capsys, name, thing, words):
    path = place / (f"{SPLIT}{name}" if thing.startswith(SPLIT) else f"{thing}/{name}")
    flip(path, -6 if name == ".heterogeneity.json" else -3)
    before = state(place)
    assert main(ALL) == 2
    said = capsys.readouterr()
    lines = dict(line.split(": ", 1) for line in said.out.splitlines())
    assert {key for key, text in lines.items() if text != "intact"} == {thing}
    assert lines[thing].startswith("damaged: ")
    assert words in lines[thing]
    assert name in lines[thing]
    assert "2 intact, 1 damaged, 0 unknown" in said.err
    assert state(place) == before


def test_no_digit_of_a_record_changes_unnoticed(place):
    """Each byte in turn: what is read is what was written, or it is refused."""
    path = place / RUN / "metrics.json"
    content = path.read_bytes()
    whole = read_record(path)
    refused = 0
    for at in range(0, len(content), 7):
        one = bytearray(content)
        one[at] ^= 1
        path.write_bytes(one)
        try:
            found = read_record(path)
        except MedflError:
            refused += 1
            continue
        # Only what lies between the words, or the name of the hash itself, may be another.
        assert found.model_copy(update={"record_sha256": whole.record_sha256}) == whole or (
            found.record_sha256 is None and found.last == whole.last
        ), at
    assert refused > 0.5 * len(range(0, len(content), 7))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (f"{STORE}/dataset.yaml", "std:\n- 0", "std:\n- 1"),
        (f"{STORE}/dataset.yaml", "synthetic: true", "synthetic: false"),
        (f"{STORE}/dataset.yaml", "title: ", "title: No "),
        (f"{STORE}/dataset.yaml", "classes:", "klasses:"),
        (f"{STORE}/dataset.yaml", "classes:", "classes: ["),
        (f"{SPLIT}.heterogeneity.json", '"split_sha256": "', '"split_sha256": "0'),
        (f"{SPLIT}.heterogeneity.json", "{", "["),
        (f"{RUN}/metrics.json", "{", "["),
        (f"{RUN}/config.yaml", "rounds: 1", "rounds: 2"),
        (f"{RUN}/config.yaml", "algorithm: fedavg", "algorithm: fedavf"),
        (f"{RUN}/config.yaml", "rounds: 1", "rounds: x"),
        (f"{RUN}/config.yaml", "rounds: 1", "rounds: ["),
    ],
)
def test_what_holds_the_hashes_is_compared_too(place, capsys, file, old, new):
    text = (place / file).read_text()
    assert old in text
    (place / file).write_text(text.replace(old, new, 1))
    assert main(ALL) == 2
    (line,) = [one for one in capsys.readouterr().out.splitlines() if ": damaged: " in one]
    assert any(mend in line for mend in ("Make it again", "Put the right", "train it again"))


@pytest.mark.parametrize("put", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to(path.name)])
@pytest.mark.parametrize("thing", [f"{SPLIT}.csv", RUN])
def test_no_file_in_a_record_s_place_is_damage_and_nobody_waits_for_it(place, capsys, thing, put):
    record = place / (f"{RUN}/metrics.json" if thing == RUN else f"{SPLIT}.heterogeneity.json")
    record.unlink()
    put(record)
    assert main(ALL) == 2
    assert f"{thing}: damaged: " in capsys.readouterr().out


@pytest.mark.parametrize("file", [f"{STORE}/samples.csv", f"{SPLIT}.csv", f"{RUN}/rounds.csv"])
def test_a_lost_file(place, capsys, file):
    (place / file).unlink()
    assert main(["verify"] if file.startswith("data") else ["verify", "--results", "results"]) == 2
    assert capsys.readouterr().out.count(": damaged: ") == 1
    assert main(ALL) == 2
    assert capsys.readouterr().out.count(": damaged: ") == 1


def test_what_an_older_medfl_made_has_nothing_to_compare_with(place, capsys):
    record = json.loads((place / RUN / "metrics.json").read_text())
    del record["record_sha256"]
    (place / RUN / "metrics.json").write_text(json.dumps(record))
    assert main(["verify", "--results", "results"]) == 1
    assert "intact but for metrics.json, of which an older" in capsys.readouterr().out
    del record["files"]
    (place / RUN / "metrics.json").write_text(json.dumps(record))
    beside = place / f"{SPLIT}.heterogeneity.json"
    dealt = json.loads(beside.read_text())
    del dealt["split_sha256"]
    beside.write_text(json.dumps(dealt))
    description = yaml.safe_load((place / STORE / "dataset.yaml").read_text())
    del description["store_sha256"]
    (place / STORE / "dataset.yaml").write_text(yaml.safe_dump(description))
    assert main(ALL) == 1
    lines = capsys.readouterr().out.splitlines()
    assert all("made by an older medfl: nothing to compare with" in line for line in lines[:3])
    assert lines[0].endswith("but for its images, which are intact")
    flip(place / STORE / "images.npy")
    assert main(ALL) == 2


def test_a_folder_of_splits_that_is_not_there_is_not_called_intact(place, capsys):
    assert main(["verify", "--splits-dir", "splitz"]) == 2
    shown = capsys.readouterr()
    assert "--splits-dir splitz does not exist: name the folder of the splits." in shown.err
    assert shown.out == ""


def test_nothing_to_verify_and_a_run_that_is_not_finished(place, capsys):
    assert main(["verify", "--work-root", "empty"]) == 2
    assert "nothing to verify" in capsys.readouterr().err
    (place / RUN / "metrics.json").unlink()
    assert main(["verify", "--results", "results"]) == 1
    assert "not finished" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "table"), [("rounds.csv", "rounds"), ("clients.csv", "clients")])
def test_tables_say_that_a_runs_file_is_damaged(place, name, table):
    path = place / RUN / name
    lines = path.read_text().splitlines()
    cells = lines[-1].split(",")
    column = lines[0].split(",").index("train_loss" if table == "rounds" else "accuracy")
    cells[column] = "0.125"  # a number like another, which only the hash knows to be wrong
    path.write_text("\n".join([*lines[:-1], ",".join(cells)]) + "\n")
    with pytest.raises(MedflError, match=rf"{name} is damaged or was edited"):
        getattr(load(place / "results"), table)


def test_tables_and_report_of_a_grid_refuse_a_damaged_curve(place, capsys):
    assert main(["aggregate", "--grid", "grid.yaml"]) == 0
    path = place / RUN / "rounds.csv"
    lines = path.read_text().splitlines()
    cells = lines[-1].split(",")
    cells[lines[0].split(",").index("test_accuracy")] = "0.125"
    path.write_text("\n".join([*lines[:-1], ",".join(cells)]) + "\n")
    for command in ("aggregate", "report"):
        assert main([command, "--grid", "grid.yaml"]) == 2
        assert "rounds.csv is damaged or was edited" in capsys.readouterr().err


def test_a_run_with_a_damaged_file_says_so_and_is_made_again(place, caplog):
    model = place / RUN / "model.safetensors"
    whole = model.read_bytes()
    flip(model)
    assert main(TRAIN) == 0
    assert "model.safetensors is damaged or was edited" in caplog.text
    assert "The run is made again." in caplog.text
    assert model.read_bytes() == whole
