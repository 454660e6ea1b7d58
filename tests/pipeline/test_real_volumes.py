"""The volumes' way through the commands: in this process, and once by the real Snakemake."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from workflows import ROOT, Workflow, copy_workflow

import medfl.datasets.catalog.phantom3d
from medfl.cli import main
from medfl.phantom.volume_writer import CtRecipe
from medfl.store import Store

PATIENTS = 40
RUN = """
dataset: phantom3d-16
partition: {partition}
federated_learning: {{num_clients: {clients}, rounds: 1, local_steps: 2}}
model: {{name: cnn}}
training: {{batch_size: 8}}
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with a small phantom, prepared."""
    folder = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        small = lambda: CtRecipe(patients=PATIENTS)  # noqa: E731
        patch.setattr(medfl.datasets.catalog.phantom3d, "CtRecipe", small)
        assert main(["prepare", "phantom3d-16"]) == 0
    return folder


@pytest.mark.parametrize(
    ("partition", "clients"), [("site", "null"), ("scanner-0.5", 2), ("noise-0.1", 2)]
)
def test_from_series_and_nifti_to_a_run(work, monkeypatch, partition, clients):
    monkeypatch.chdir(work)
    store = Store.open(Path("data/prepared/phantom3d-16"))
    assert store.images.shape == (PATIENTS, 1, 16, 16, 16)
    number = [] if clients == "null" else ["--num-clients", str(clients)]
    split = Path(f"splits/{partition}.csv")
    words = ["--partition", partition, "--seed", "0", *number, "--min-samples", "2"]
    assert main(["split", "phantom3d-16", *words, "--output", str(split)]) == 0
    with split.open(newline="", encoding="utf-8") as table:
        owners = {row["client"] for row in csv.DictReader(table)}
    assert len(owners) == (4 if partition == "site" else 2)
    Path("run.yaml").write_text(RUN.format(partition=partition, clients=clients))
    assert main(["run", "--config", "run.yaml", "--output-dir", f"runs/{partition}"]) == 0
    metrics = json.loads(Path(f"runs/{partition}/metrics.json").read_text())
    assert metrics["status"] == "completed"
    assert 0 <= metrics["last"]["test"]["accuracy"] <= 1


@pytest.mark.slow
def test_the_grid_of_volumes_goes_the_whole_way(tmp_path):
    """params/phantom3d.yaml with fewer volumes, rounds and runs: store, split, tables, report."""
    pytest.importorskip("snakemake")
    folder = tmp_path / "project"
    copy_workflow(folder)
    writer = folder / "medfl/phantom/volume_writer.py"
    text = writer.read_text(encoding="utf-8")
    assert "patients: int = 300" in text
    writer.write_text(text.replace("patients: int = 300", "patients: int = 60"), encoding="utf-8")
    grid = (ROOT / "params/phantom3d.yaml").read_text(encoding="utf-8")
    for old, new in (
        ("phantom3d]", "phantom3d-16]"),
        ("[iid, dirichlet-0.5, site]", "[site]"),
        ("[centralized, local, fedavg, fedprox, scaffold, fedbn]", "[fedavg, fedbn]"),
        ("seeds: [0, 1]", "seeds: [0]"),
        ("min_samples: 8", "min_samples: 2"),
        ("rounds: 12", "rounds: 2"),
    ):
        assert old in grid
        grid = grid.replace(old, new)
    (folder / "params/phantom3d.yaml").write_text(grid, encoding="utf-8")
    project = Workflow(folder, fake=False)
    project.environment["PYTHONPATH"] = str(folder)
    project.snakemake("--cores", "2", "--configfile", "params/phantom3d.yaml")

    results = folder / "results/phantom3d"
    with open(results / "summary.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {(row["arm"], row["status"]) for row in rows} == {
        ("fedavg", "completed"),
        ("fedbn", "completed"),
    }
    table = (results / "tables/comparison.md").read_text(encoding="utf-8")
    assert "fedbn" in table
    assert "Natural sites" in table
    assert "phantom3d-16" in (results / "report.html").read_text(encoding="utf-8")
    assert any((results / "figures").glob("*.png"))
