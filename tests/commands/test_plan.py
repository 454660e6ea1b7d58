"""`medfl plan`, as it is typed."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from federations import federation

from medfl.cli import main
from medfl.federated.outcome import write_record
from medfl.results import paths


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A pilot: fedavg and fedprox, three seeds, one partition."""
    root = tmp_path_factory.mktemp("pilot")
    for arm in ("fedavg", "fedprox"):
        for seed in range(3):
            trainer = federation(arm, rounds=2, sizes=(8, 16, 20), seed=seed, arm=arm)
            trainer.train()
            place = paths.run_folder(root, trainer.config)
            place.mkdir(parents=True)
            write_record(place, trainer, {}, {})
    return root


def test_it_says_how_many_seeds_and_patients(folder, capsys):
    assert main(["plan", str(folder), "--arms", "3", "--differences", "1,5,40"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert "balanced accuracy, 3 arms; pilot: 2 arms, 3 seeds" in said[0]
    one, five, forty = said[1:4]
    assert one.startswith("  1 point: ")
    assert five.startswith("  5 points: ")
    assert 3 <= int(re.search(r"points: (\d+) seeds", forty)[1]) <= 100
    many = [re.search(r"with 10 seeds (\d+) test patients", line) for line in (five, forty)]
    assert many[1], forty
    assert many[0] is None or int(many[0][1]) >= int(many[1][1]) >= 30
    assert "chance of 80 %" in " ".join(said)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--differences", "1,many"], "--differences 1,many: give points between 0 and 100"),
        (["--differences", "0"], "give points between 0 and 100"),
        (["--arms", "1"], "--arms 1: two arms or more are compared, at most 100."),
        (["--arms", "1000000"], "--arms 1000000: two arms or more are compared, at most 100."),
        (["--power", "100"], "--power 100 is no chance in per cent"),
        (["--power", "0.8"], "--power 0.8 is no chance in per cent from 1 to 99: give 80, or so."),
        (["--power", "1_0"], "'1_0' is no number in plain digits"),
        (["--arms", "１２"], "'１２' is no whole number in plain digits"),
        (["--differences", "1_0"], "--differences 1_0: give points between 0 and 100"),
        (["--differences", ","], "give points between 0 and 100"),
    ],
)
def test_bad_options_are_one_sentence(folder, capsys, options, words):
    try:
        status = main(["plan", str(folder), *options])
    except SystemExit as stop:  # of a word that is no number
        status = stop.code
    assert status == 2
    assert words in capsys.readouterr().err


def test_one_seed_is_no_pilot(folder, tmp_path, capsys):
    for path in folder.glob("runs/*/*/*/seed1"):
        shutil.copytree(path, tmp_path / path.relative_to(folder))
    assert main(["plan", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "is no pilot of anything" in error
    assert "2 arms with 1 common seed." in error


def test_predictions_of_another_store_are_refused(folder, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    path = next(copy.glob("runs/*/*/fedprox/seed2")) / "predictions.npz"
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["patients"] = np.array([f"x{name}" for name in arrays["patients"]])
    np.savez(path, **arrays)
    record = path.with_name("metrics.json")
    content = json.loads(record.read_text())
    del content["files"]["predictions.npz"], content["record_sha256"]
    record.write_text(json.dumps(content))
    assert main(["plan", str(copy)]) == 2
    assert "of another store or split" in capsys.readouterr().err


def test_a_folder_without_runs_is_named(tmp_path, capsys):
    assert main(["plan", str(tmp_path)]) == 2
    assert "no finished run is under" in capsys.readouterr().err
