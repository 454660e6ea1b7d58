"""A small tuned grid, made with the commands: what is checked, read and refused on the way."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from medfl.cli import main
from medfl.datasets.registry import get
from medfl.store import Sample, write_store
from medfl.store.raw import RawData

STORE, SPLIT = "data/prepared/phantom", "data/splits/phantom/iid/clients2/seed0"
PLACE = "phantom/iid/fedavg/seed0"
RUN, SEARCH = f"results/runs/{PLACE}", f"results/tuning/{PLACE}"
GRID = {
    "arms_file": None,
    "arm_settings": {"fedavg": {"algorithm": "fedavg"}},
    "datasets": ["phantom"],
    "partitions": ["iid"],
    "arms": ["fedavg"],
    "seeds": [0],
    "num_clients": 2,
    "tune": {"points": 2},
    "run": {
        "federated_learning": {"rounds": 1, "local_steps": 1},
        "model": {"name": "logistic"},
        "training": {"device": "cpu"},
    },
}
CELL = ["--grid", "grid.yaml", "--dataset", "phantom", "--partition", "iid"]
CELL += ["--arm", "fedavg", "--seed", "0"]
VERIFY = ["verify", "--grid", "grid.yaml"]


def point(number):
    return ["run", *CELL, "--point", str(number), "--output-dir", f"{SEARCH}/point{number}"]


TRAIN = ["run", *CELL, "--output-dir", RUN]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store, its split, two points, the choice, its run, and the tables."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        info = get("phantom").info(RawData([], [], 90, ""))
        # Of the last class there are few: its cells are small ones.
        samples = [
            Sample(f"s{i}", (info.classes[0 if i < 70 else 1 + i % 4],), group=f"p{i}")
            for i in range(90)
        ]
        images = np.random.default_rng(0).integers(0, 256, (90, 1, 8, 8), dtype=np.uint8)
        write_store(folder / STORE, info, samples, images)
        write()
        options = ["--partition", "iid", "--seed", "0", "--num-clients", "2"]
        assert main(["split", "phantom", *options, "--output", f"{SPLIT}.csv"]) == 0
        for command in (point(1), point(2), ["choose", *CELL], TRAIN):
            assert main(command) == 0
        for command in ("tuning", "aggregate"):
            assert main([command, "--grid", "grid.yaml"]) == 0
    return folder


def write(**changes):
    Path("grid.yaml").write_text(yaml.safe_dump({**GRID, **changes}))


@pytest.fixture
def place(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_verify_reads_points_and_choice(place, capsys):
    assert main(VERIFY) == 0
    lines = capsys.readouterr().out.splitlines()
    searched = [f"{SEARCH}/point1", f"{SEARCH}/point2", f"{SEARCH}/chosen.json"]
    assert lines == [
        *(f"{path}: intact" for path in (STORE, f"{SPLIT}.csv", RUN, *searched)),
        "6 intact, 0 damaged, 0 unknown",
    ]
    assert main(["verify", "--results", "results"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert sorted(said[:-1]) == sorted(lines[2:-1])
    shutil.rmtree(f"{SEARCH}/point2")
    assert main(VERIFY) == 1
    said = capsys.readouterr()
    assert "chosen.json: intact but for its points, with which it cannot be compared" in said.out
    assert f"not made yet, and not verified: {SEARCH}/point2" in said.err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("point2/model.safetensors", "train it again"),
        ("point1/metrics.json", "train it again"),
        ("chosen.json", "make it again with `medfl choose`"),
    ],
)
def test_a_flipped_byte_of_a_search_is_found(place, capsys, name, words):
    path = place / SEARCH / name
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)
    assert main(VERIFY) == 2
    lines = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    thing = f"{SEARCH}/{name.split('/')[0]}"
    assert lines[thing].startswith("damaged: ")
    assert words in lines[thing]


def test_a_choice_that_is_not_its_points_is_found(place, capsys):
    """Both files are whole: the point was trained anew, and other values are best."""
    from medfl.files import OWN_HASH, own_hash

    path = place / SEARCH / "chosen.json"
    content = json.loads(path.read_text())
    content["points"][1]["validation"] = 0.999
    content[OWN_HASH] = own_hash(content)
    path.write_text(json.dumps(content))
    assert main(VERIFY) == 2
    assert "chosen.json is not what its points say" in capsys.readouterr().out


def numbers(content):
    """All numbers of a JSON value, however deep."""
    if isinstance(content, dict):
        return [one for value in content.values() for one in numbers(value)]
    if isinstance(content, list):
        return [one for value in content for one in numbers(value)]
    return [content] if isinstance(content, float) else []


def test_small_cells_are_held_back_in_points_and_nothing_of_them_is_in_the_choice(place):
    """A minimum that comes later: points are rewritten like runs, and no run is made again."""
    before = Path(SEARCH, "chosen.json").read_bytes()
    record = json.loads(Path(SEARCH, "point1/metrics.json").read_text())
    assert 0 < min(found["n"] for found in record["last"]["val"]["per_class"].values()) < 10
    write(report={"minimum_cell": 10})
    assert main(["aggregate", "--grid", "grid.yaml"]) == 0
    assert main(["tuning", "--grid", "grid.yaml"]) == 0
    scores = []
    for number in (1, 2):
        record = json.loads(Path(f"{SEARCH}/point{number}/metrics.json").read_text())
        assert record["minimum_cell"] == 10
        val = record["last"]["val"]
        assert None in [found["n"] for found in val["per_class"].values()]
        assert val["confusion"] is None
        scores.append(val["balanced_accuracy"])
    # Beside values and hashes the choice has one number of each point, which is published.
    assert Path(SEARCH, "chosen.json").read_bytes() == before
    content = json.loads(before)
    assert [one.pop("validation") for one in content["points"]] == scores
    rates = [one["values"]["training.learning_rate"] for one in content["points"]]
    assert sorted(numbers(content)) == sorted([*rates, rates[content["chosen"] - 1]])
    with open("results/tuning/tuning.csv", newline="") as file:
        assert [row["validation"] for row in csv.DictReader(file)] == [f"{s:.6g}" for s in scores]
    assert main(["choose", *CELL]) == 0
    assert Path(SEARCH, "chosen.json").read_bytes() == before


def test_values_of_another_store_are_refused_and_nothing_is_written(place, capsys):
    images = np.load(f"{STORE}/images.npy")
    info = get("phantom").info(RawData([], [], 90, ""))
    samples = [Sample(f"t{i}", (info.classes[i % 5],), group=f"p{i}") for i in range(90)]
    shutil.rmtree(STORE)
    write_store(place / STORE, info, samples, images)
    options = ["--partition", "iid", "--seed", "0", "--num-clients", "2"]
    assert main(["split", "phantom", *options, "--output", f"{SPLIT}.csv"]) == 0
    shutil.rmtree(RUN)
    capsys.readouterr()
    assert main(TRAIN) == 2
    said = capsys.readouterr().err
    assert "were chosen on another store than it is trained on" in said
    assert "Traceback" not in said
    assert not Path(RUN).exists()
    chosen = Path(SEARCH, "chosen.json").read_bytes()
    assert main(["choose", *CELL]) == 2
    assert "point1 was trained on another store than" in capsys.readouterr().err
    assert Path(SEARCH, "chosen.json").read_bytes() == chosen


def test_a_point_that_failed_leaves_the_search_without_a_choice(place, capsys):
    write(tune={"points": 10})
    for number in (*range(3, 7), *range(8, 11)):
        assert main(point(number)) == 0
    capsys.readouterr()
    assert main(["choose", *CELL]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "point7 is not the folder of a finished run" in said
    # The choice among the first two is none of this search; so its run is none of this grid.
    assert main(TRAIN) == 2
    assert "was chosen in another search than this grid's" in capsys.readouterr().err
    assert main(["aggregate", "--grid", "grid.yaml"]) == 2
    assert "but of other settings" in capsys.readouterr().err
    assert main(["tuning", "--grid", "grid.yaml"]) == 2


def test_no_point_is_trained_where_the_splits_show_that_nothing_could_be_chosen(place, capsys):
    """One choice for all seeds, each of which draws test samples of its own."""
    write(seeds=[0, 1], tune={"points": 2, "folds": "first"})
    shutil.rmtree(SEARCH)
    assert main(point(1)) == 0, "the other split is not there yet"
    other = Path(SPLIT).with_name("seed1.csv")
    options = ["--partition", "iid", "--seed", "1", "--num-clients", "2"]
    assert main(["split", "phantom", *options, "--output", str(other)]) == 0
    shutil.rmtree(SEARCH)
    capsys.readouterr()
    assert main(point(1)) == 2
    said = capsys.readouterr().err
    assert f"{other} has other test samples than seed 0" in said
    assert "write `folds: each`" in said
    assert not Path(SEARCH).exists()


def test_a_run_of_an_older_choice_is_none_of_the_grid(place, capsys, monkeypatch):
    """Such as Snakemake puts back where the run of the new choice fails."""
    from types import SimpleNamespace

    from medfl.pipeline.workflow import Workflow

    monkeypatch.setenv("MEDFL_GRID", "")  # so that what a start sets is taken back
    write(tune={"points": 3})
    assert main(point(3)) == 0
    assert main(["choose", *CELL]) == 0
    cell = SimpleNamespace(dataset="phantom", partition="iid", arm="fedavg", seed="0")
    assert Workflow.open(["grid.yaml"], {}).is_stale(cell)
    assert main(["aggregate", "--grid", "grid.yaml"]) == 2
    assert "1 there, but of other settings" in capsys.readouterr().err
    model = Path(RUN, "model.safetensors").stat().st_mtime_ns
    content = json.loads(Path(SEARCH, "chosen.json").read_text())
    assert main([*TRAIN, "--overwrite"]) == 0
    kept = Path(RUN, "model.safetensors").stat().st_mtime_ns == model
    assert kept == (content["chosen"] < 3)
    assert not Workflow.open(["grid.yaml"], {}).is_stale(cell)
    assert main(["aggregate", "--grid", "grid.yaml"]) == 0
