"""Predictions are versioned for published sets, and for people's own data only when asked."""

from __future__ import annotations

import pytest
from workflows import ROOT, Workflow

from medfl.datasets.registry import names

RUN = "results/some-grid/runs/{}/iid/fedavg/seed0/{}"


def ignored(project: Workflow, datasets: list[str], file: str) -> list[str]:
    """Which of the datasets DVC does not version this file of."""
    paths = [RUN.format(dataset, file) for dataset in datasets]
    done = project.run("python", "-m", "dvc", "check-ignore", *paths, check=False)
    assert not done.stderr, done.stderr
    told = done.stdout.splitlines()
    return [dataset for dataset, path in zip(datasets, paths, strict=True) if path in told]


def test_what_dvc_versions(tmp_path):
    pytest.importorskip("dvc")
    project = Workflow(tmp_path, fake=False)
    project.git("init", "--quiet")
    project.dvc("init", "--quiet")
    (tmp_path / ".dvcignore").write_text((ROOT / ".dvcignore").read_text())
    published = names()  # of the catalog: nothing is described here
    assert {"phantom", "ham10000", "chestxray14"} <= set(published)
    sized = [f"{name}-64" for name in published]
    own = ["hospital", "hospital-64", "my-ham10000"]
    own += [f"{name}{end}" for name in published for end in ("x", "-64x", "-x")]
    assert ignored(project, [*published, *sized], "predictions.npz") == []
    assert ignored(project, own, "predictions.npz") == own
    assert ignored(project, own, "metrics.json") == []
    with (tmp_path / ".dvcignore").open("a") as file:
        file.write("!**/runs/hospital/**/predictions.npz\n")
    assert ignored(project, ["hospital", "my-ham10000"], "predictions.npz") == ["my-ham10000"]
