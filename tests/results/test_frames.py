"""Results as pandas tables, on made-up runs and on real ones."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from federations import Normed, federation
from sklearn.metrics import accuracy_score

import medfl.results
from medfl.errors import MedflError
from medfl.federated.outcome import write_record
from medfl.grid import Cell
from medfl.results import paths
from medfl.results.columns import CLIENTS, ROUNDS, SUMMARY, names_in
from medfl.results.frames import KEYS, read_clients, read_rounds


def real_run(results, algorithm, seed, **settings):
    """Train a tiny federation into its place under ``results``; its trainer."""
    folder = paths.run_folder(results, Cell("phantom", "iid", algorithm, seed))
    settings = {"partition": "iid", "arm": algorithm, "seed": seed, "rounds": 2, **settings}
    trainer = federation(algorithm, model=Normed, evaluate_every=1, **settings)
    trainer.train()
    folder.mkdir(parents=True)
    write_record(folder, trainer, {}, {})
    return trainer


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    trainers = {
        (name, seed): real_run(results, name, seed)
        for name in ("fedavg", "local")
        for seed in (0, 1)
    }
    return results, trainers


def test_runs_are_the_records(real):
    results, trainers = real
    runs = medfl.results.load(results).runs
    assert [(row.arm, row.seed) for row in runs.itertuples()] == sorted(trainers)
    assert set(names_in(SUMMARY)) <= set(runs.columns)
    for row in runs.itertuples():
        path = results / "runs/phantom/iid" / row.arm / f"seed{row.seed}" / "metrics.json"
        record = json.loads(path.read_text())
        assert row.test_accuracy == record["last"]["test"]["accuracy"]
        assert row.jain == record["fairness"]["jain"]
        assert row.bytes_up == record["communication"]["bytes_up"]
        assert row.megabytes == (row.bytes_up + row.bytes_down) / 1e6
        assert pd.isna(row.rounds_to_target)
    assert runs["rounds_to_target"].dtype == "Int64"
    assert runs["test_accuracy"].dtype == "float64"


def test_rounds_are_the_trainers_to_the_bit(real):
    results, trainers = real
    rounds = medfl.results.load(results).rounds
    assert list(rounds.columns) == [*KEYS, *names_in(ROUNDS)]
    assert len(rounds) == 4 * 3
    for (arm, seed), trainer in trainers.items():
        mine = rounds[(rounds["arm"] == arm) & (rounds["seed"] == seed)]
        for row, (_, found) in zip(trainer.history, mine.iterrows(), strict=True):
            for name in names_in(ROUNDS):
                assert found[name] == row[name] if name in row else pd.isna(found[name])


def test_clients_are_the_trainers_to_the_bit(real):
    results, trainers = real
    clients = medfl.results.load(results).clients
    assert list(clients.columns) == [*KEYS, *names_in(CLIENTS)]
    expected = [row for trainer in trainers.values() for row in trainer.client_history]
    assert len(clients) == len(expected) == 4 * 3 * 3 * 2
    for row, (_, found) in zip(expected, clients.iterrows(), strict=True):
        for name, value in row.items():
            assert found[name] == value or (pd.isna(found[name]) and value is None)


def test_a_persons_way_from_predictions_to_a_table(real):
    results, _ = real
    frames = medfl.results.load(results)
    said = frames.predictions
    last = said[(said["moment"] == "last") & (said["fold"] == "test") & (said["arm"] == "fedavg")]
    guess = last.filter(like="p_").idxmax(axis=1).str.removeprefix("p_")
    found = {
        seed: accuracy_score(rows["label"], guess[rows.index])
        for seed, rows in last.groupby("seed")
    }
    runs = frames.runs[frames.runs["arm"] == "fedavg"].set_index("seed")
    assert found == runs["test_accuracy"].to_dict()
    assert set(said["view"]) == {"own", "everyone"}


def test_the_examples_of_the_page(real, capsys):
    page = (Path(__file__).parents[2] / "docs" / "results.md").read_text(encoding="utf-8")
    code = "".join(re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL))
    code = code.replace('load("results")', f"load({str(real[0])!r})")
    exec(code, {})
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith(("fedavg ", "local ")) for line in lines) >= 2 + 4


def test_a_run_without_predictions_is_left_out_of_them(real, tmp_path):
    shutil.copytree(real[0], tmp_path, dirs_exist_ok=True)
    for path in sorted(tmp_path.rglob("predictions.npz"))[:3]:
        path.unlink()
    frames = medfl.results.load(tmp_path)
    assert set(zip(frames.predictions["arm"], frames.predictions["seed"], strict=True)) == {
        ("local", 1)
    }
    next(tmp_path.rglob("predictions.npz")).unlink()
    with pytest.raises(MedflError, match=r"none of these runs has its predictions\.npz"):
        _ = medfl.results.load(tmp_path).predictions
    assert len(medfl.results.load(tmp_path).rounds) == 12, "nothing else is lost"


def test_a_folder_without_runs_or_with_a_strange_one(real, tmp_path):
    with pytest.raises(MedflError, match="no finished run is under"):
        medfl.results.load(tmp_path)
    shutil.copytree(real[0], tmp_path, dirs_exist_ok=True)
    (tmp_path / "runs/phantom/iid/local").rename(tmp_path / "runs/phantom/iid/fedprox")
    with pytest.raises(
        MedflError, match=r"fedprox/seed0.*is the record of phantom/iid/local/seed0"
    ):
        medfl.results.load(tmp_path)


def test_columns_of_links_are_kept(tmp_path):
    (tmp_path / "rounds.csv").write_text("round,test_accuracy,epsilon\n0,,0.5\n1,0.1,\n")
    rounds = read_rounds(tmp_path)
    assert rounds["epsilon"].tolist()[0] == 0.5
    assert pd.isna(rounds["test_accuracy"][0])


@pytest.mark.parametrize(
    "text", ["", "round,test_accuracy\n", "round,n\n0,1\n1\n", "a,b\n1,2\n", "round\nzero\n"]
)
def test_broken_tables_are_named(tmp_path, text):
    for name, read in (("rounds.csv", read_rounds), ("clients.csv", read_clients)):
        with pytest.raises(MedflError, match=rf"{name} does not exist"):
            read(tmp_path)
        (tmp_path / name).write_text(text)
        with pytest.raises(MedflError, match=rf"{name} cannot be read .*train this run again"):
            read(tmp_path)


def test_nothing_heavy_is_imported_before_tables_are_asked_for():
    code = (
        "import sys, medfl.commands.call, medfl.grid, medfl.results, medfl.results.runs\n"
        "bad = {'torch', 'pandas', 'sklearn', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
