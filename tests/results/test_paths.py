from __future__ import annotations

from pathlib import Path

from medfl.grid import Cell
from medfl.results import paths


def test_a_run_lies_where_the_pipeline_looks_for_it():
    cell = Cell("phantom", "dirichlet-0.5", "fedavg", 3)
    expected = Path("results/runs/phantom/dirichlet-0.5/fedavg/seed3")
    assert paths.run_folder("results", cell) == expected
    assert cell.folder("results") == expected
    assert str(cell) == "phantom/dirichlet-0.5/fedavg/seed3"


def test_only_runs_with_a_record_are_finished(tmp_path):
    for seed in (2, 0, 1):
        folder = paths.run_folder(tmp_path, Cell("phantom", "iid", "fedavg", seed))
        folder.mkdir(parents=True)
        if seed != 1:
            (folder / "metrics.json").write_text("{}")
    (tmp_path / "runs" / "metrics.json").write_text("{}")
    assert [folder.name for folder in paths.finished_runs(tmp_path)] == ["seed0", "seed2"]
    assert paths.finished_runs(tmp_path / "nowhere") == []


def test_the_files_of_a_run():
    files = ("config.yaml", "rounds.csv", "clients.csv", "metrics.json", "model.safetensors")
    assert paths.run_files(False) == files
    assert paths.run_files(True) == (*files, "predictions.npz")
