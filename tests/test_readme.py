"""The README's code and commands, as they stand there."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from medfl import cli
from medfl.store import Sample, Store, write_store

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def block(language: str, containing: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)
    return next(text for text in blocks if containing in text)


@pytest.fixture
def phantom_at_hand(tmp_path, monkeypatch):
    """A working folder whose phantom store is small: drawing the real one takes a minute.

    The place of a bright bar tells the class, so that what learns anything learns this, however a
    processor rounds.
    """
    from medfl.datasets.registry import get

    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    entry = get("phantom")
    classes = entry.classes
    samples = [
        Sample(f"s{i}", (classes[i % len(classes)],), f"patient{i // 2}", f"site{i % 3}", "DX")
        for i in range(200)
    ]
    images = random.integers(0, 50, (200, 1, 16, 16), dtype=np.uint8)
    for number, image in enumerate(images):
        place = 3 * (number % len(classes))
        image[0, place : place + 3] += 150
    info = make_info(classes)
    write_store(tmp_path / "data" / "prepared" / "phantom", info, samples, images)
    return Store.open(tmp_path / "data" / "prepared" / "phantom")


def make_info(classes):
    from medfl.store import DatasetInfo

    return DatasetInfo("phantom", "test", tuple(classes), "multiclass", "DX", True, "", "")


def test_the_quick_start_runs_as_written(phantom_at_hand, tmp_path, capsys):
    exec(compile(block("python", "MedicalDataLoader"), "README.md", "exec"), {})
    assert float(capsys.readouterr().out.split()[-1]) > 0.5, "of five classes: chance is 0.2"
    assert (tmp_path / "convergence.png").read_bytes().startswith(b"\x89PNG")


def test_the_run_file_runs_as_written(phantom_at_hand, tmp_path):
    (tmp_path / "run.yaml").write_text(block("yaml", "federated_learning"))
    assert cli.main(["run", "--config", "run.yaml", "--output-dir", "one"]) == 0
    written = {path.name for path in (tmp_path / "one").iterdir()}
    assert {"config.yaml", "rounds.csv", "clients.csv", "metrics.json", "run.log"} <= written
    record = json.loads((tmp_path / "one" / "metrics.json").read_text())
    assert record["last"]["test"]["balanced_accuracy"] > 0.5, "of five classes: chance is 0.2"
    assert yaml.safe_load((tmp_path / "one" / "config.yaml").read_text())["arm"] == "fedprox"
    # The same again is already done; another configuration is refused, and the run is kept.
    before = (tmp_path / "one" / "metrics.json").read_bytes()
    assert cli.main(["run", "--config", "run.yaml", "--output-dir", "one"]) == 0
    text = (tmp_path / "run.yaml").read_text().replace("rounds: 20", "rounds: 6")
    (tmp_path / "run.yaml").write_text(text)
    assert cli.main(["run", "--config", "run.yaml", "--output-dir", "one"]) == 2
    assert (tmp_path / "one" / "metrics.json").read_bytes() == before


def test_the_private_federation_runs_as_written(phantom_at_hand, tmp_path, capsys):
    names: dict[str, object] = {}
    exec(compile(block("python", "MedicalDataLoader"), "README.md", "exec"), names)
    exec(compile(block("python", "DPFederatedLearning"), "README.md", "exec"), names)
    unit, epsilon = capsys.readouterr().out.split()[-2:]
    assert unit == "image"
    assert 0 < float(epsilon) <= 10
    assert names["history"][-1]["epsilon"] == float(epsilon)


def test_the_secure_sum_runs_as_written():
    """Σ w · 0.1 i / Σ w = 0.1 (50 + 2 · 212 + 3 · 95 + 4 · 90) / 1147, to within n s / Σ w."""
    names: dict[str, object] = {}
    exec(compile(block("python", "SecureAggregator"), "README.md", "exec"), names)
    assert names["weight"] == 1147
    assert np.abs(names["mean"] - 0.1 * 1119 / 1147).max() <= 5 / 32767 / 1147


def test_the_own_network_runs_as_written(phantom_at_hand, tmp_path, monkeypatch):
    (tmp_path / "my_nets.py").write_text(block("python", "class Net"))
    named = re.search(r"`(model: \{name: .*?\}\})` in a grid", README)
    text = f"dataset: phantom\nfederated_learning: {{rounds: 1}}\n{named[1]}\n"
    (tmp_path / "own.yaml").write_text(text)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert cli.main(["run", "--config", "own.yaml", "--output-dir", "own"]) == 0
    log = (tmp_path / "own" / "run.log").read_text(encoding="utf-8")
    assert "my_nets:Net with" in log


def test_the_own_algorithm_runs_as_written(phantom_at_hand, tmp_path, monkeypatch):
    (tmp_path / "my_algorithms.py").write_text(block("python", "class HalfStep"))
    config = {
        "dataset": "phantom",
        "partition": "iid",
        "federated_learning": {"algorithm": "my_algorithms:HalfStep", "rounds": 1},
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert cli.main(["run", "--config", "own.yaml", "--output-dir", "own"]) == 0
    assert shutil.which("git") is None or "git_commit" in (
        tmp_path / "own" / "metrics.json"
    ).read_text(encoding="utf-8")
