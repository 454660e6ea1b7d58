"""Several modalities per sample, through the commands: prepare, split and run, early and late."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from modalities import write_photo, write_samples, write_volume
from safetensors.numpy import load_file

from medfl.cli import main
from medfl.store import Store

RUN = """
dataset: {name}
partition: iid
federated_learning: {{num_clients: 2, rounds: 8, local_epochs: 2, evaluate_every: 8}}
model: {{name: cnn, fusion: {fusion}, normalization: group}}
training: {{learning_rate: 0.01, optimizer: adam, batch_size: 8}}
"""
VOLUMES = """
folder: scans
table: labels.csv
size: 16
modality: mri
modalities: {t1: "{id}/t1.nii.gz", flair: "{id}/flair.nii.gz"}
"""
PHOTOS = """
folder: photos
table: labels.csv
size: 16
columns: {file: {clinic: clinic, scope: scope}}
modalities: {clinic: {modality: photo}, scope: {modality: dermatoscopy}}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MEDFL_DATA", "MEDFL_DATASETS", "MEDFL_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    Path("params/datasets").mkdir(parents=True)
    return tmp_path


def describe(name: str, text: str) -> None:
    Path(f"params/datasets/{name}.yaml").write_text(f"{text}", encoding="utf-8")


def run(name: str, fusion: str) -> tuple[dict, dict[str, np.ndarray]]:
    """Train by `medfl run`; the metrics and the weights that it wrote."""
    Path("run.yaml").write_text(RUN.format(name=name, fusion=fusion), encoding="utf-8")
    assert main(["run", "--config", "run.yaml", "--output-dir", f"runs/{fusion}"]) == 0
    metrics = json.loads(Path(f"runs/{fusion}/metrics.json").read_text())
    return metrics, load_file(f"runs/{fusion}/model.safetensors")


@pytest.mark.parametrize(
    ("description", "writers", "shape", "channels"),
    [
        (
            VOLUMES,
            {"t1": ("{id}/t1.nii.gz", write_volume), "flair": ("{id}/flair.nii.gz", write_volume)},
            (16, 16, 16),
            (1, 1),
        ),
        (
            PHOTOS,
            {"clinic": ("clinic/{id}.png", write_photo), "scope": ("scope/{id}.png", write_photo)},
            (16, 16),
            (3, 3),
        ),
    ],
    ids=["volumes", "photos"],
)
def test_both_fusions_learn_what_no_modality_tells_alone(
    place, description, writers, shape, channels
):
    folder = "scans" if len(shape) == 3 else "photos"
    write_samples(place / "data/raw" / folder, writers, 80)
    describe("early", description)
    describe("late", description + "fusion: late\n")
    for name in ("early", "late"):
        assert main(["prepare", name]) == 0
        split = ["--partition", "iid", "--num-clients", "2", "--seed", "0"]
        assert main(["split", name, *split, "--output", f"splits/{name}.csv"]) == 0
    store = Store.open(Path("data/prepared/late"))
    assert store.images.shape == (80, sum(channels), *shape)
    assert store.info.branches == channels

    metrics, weights = run("early", "early")
    assert metrics["last"]["test"]["accuracy"] >= 0.9  # one modality alone: 0.5 at best
    stems = [
        w.shape for name, w in weights.items() if w.shape[1:] == (sum(channels), *[5] * len(shape))
    ]
    assert len(stems) == 1

    metrics, weights = run("late", "late")
    assert metrics["last"]["test"]["accuracy"] >= 0.9
    stems = [name for name, w in weights.items() if w.shape[1:] == (channels[0], *[5] * len(shape))]
    assert [name.split(".")[:3] for name in stems] == [
        ["backbone", "branches", "0"],
        ["backbone", "branches", "1"],
    ]


def test_a_sample_that_lacks_a_modality_is_left_out_and_listed(place):
    write_samples(
        place / "data/raw/scans",
        {"t1": ("{id}/t1.nii.gz", write_volume), "flair": ("{id}/flair.nii.gz", write_volume)},
        8,
    )
    (place / "data/raw/scans/sub003/flair.nii.gz").unlink()
    describe("mine", VOLUMES)
    assert main(["prepare", "mine"]) == 0
    store = Store.open(Path("data/prepared/mine"))
    assert len(store) == 7
    record = json.loads((store.path / "prepare.json").read_text())
    [left] = [one for one in record["excluded_files"] if "flair" in one["reason"]]
    assert "sub003" not in left["file"]  # a name is not shown
    with (store.path / "samples.csv").open(newline="") as table:
        labels = [row["labels"] for row in csv.DictReader(table)]
    assert sorted(labels) == sorted(["none", "one", "one", "none", "one", "one", "both"])
