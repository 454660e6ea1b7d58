"""Names are planted in own data: Snakemake's logs, the jobs' and all results show none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from workflows import Workflow, copy_workflow

from tests.planted import csv, leaks, pictures

pytestmark = pytest.mark.slow
DESCRIPTION = "folder: ../../raw\nsize: 8\ntable: labels.csv\ncolumns: {attributes: [age]}\n"
SETTINGS = {
    "datasets": ["mine"],
    "partitions": ["iid"],
    "arms": ["fedavg"],
    "seeds": [0],
    "num_clients": 2,
    "output_dir": "results",
    "run": {
        "federated_learning": {"rounds": 1},
        "training": {"batch_size": 8, "learning_rate": 0.05, "device": "cpu"},
    },
}
# Copies of the package, and of the grid and the description that a person wrote: no outputs.
GIVEN = ("medfl", "rules", "workflow", "profiles", "Snakefile", ".snakemake/medfl/")


@pytest.fixture
def project(tmp_path) -> Workflow:
    """Pictures that are called by their patients, a table, a description and a grid."""
    copy_workflow(tmp_path)
    project = Workflow(tmp_path, fake=False)
    project.environment["PYTHONPATH"] = str(tmp_path)
    rows = pictures(tmp_path, 36)
    for number, row in enumerate(rows):
        row[2] = f"{row[2]} {number // 2}"
    (tmp_path / "params/datasets").mkdir(exist_ok=True)
    (tmp_path / "params/datasets/mine.yaml").write_text(DESCRIPTION)
    (tmp_path / "params/datasets/labels.csv").write_text(csv(rows))
    project.write_grid(**SETTINGS)
    return project


def shown(project: Workflow, *options: str) -> tuple[int, str]:
    """Snakemake's status and words, once nothing that it wrote holds a name."""
    done = project.snakemake("--cores", "1", *options, check=False)
    said = done.stdout + done.stderr
    found = leaks(project.folder, said)
    assert [one for one in found if not one.split(" in ")[-1].startswith(GIVEN)] == []
    return done.returncode, said


def test_a_grid_of_own_data(project):
    status, said = shown(project)
    assert status == 0, said
    logs = [path.read_text() for path in (project.folder / "results/logs").rglob("*.log")]
    assert len(logs) == 5
    assert any("images of 3×8×8" in log for log in logs)
    assert list((project.folder / ".snakemake/log").iterdir())


def missing_folder(folder: Path) -> None:
    path = folder / "params/datasets/mine.yaml"
    path.write_text(path.read_text().replace("../../raw", "../../raw/Zzhuber_Anneliese"))


def exchanged_columns(folder: Path) -> None:
    path = folder / "params/datasets/labels.csv"
    path.write_text(path.read_text().replace("file,label,patient", "file,patient,label"))


def damaged_table(folder: Path) -> None:
    with (folder / "params/datasets/labels.csv").open("a") as table:
        table.write("Zzhuber,Anneliese,Zzdoctor,Zzstreet,1,2,3\n")


def failing_class(folder: Path) -> None:
    (folder / "wards.py").write_text(
        "from medfl import CustomMedicalDataset\n\n\nclass Wards(CustomMedicalDataset):\n"
        "    size = 8\n\n    def load_data(self):\n"
        "        raise KeyError(''.join(['Zz', 'huber']))\n"  # a sum would stand whole in bytecode
    )
    (folder / "params/datasets/mine.yaml").write_text("class: wards:Wards\n")


@pytest.mark.parametrize(
    "damage", [missing_folder, exchanged_columns, damaged_table, failing_class]
)
def test_a_job_that_fails(project, damage: Callable[[Path], None]):
    damage(project.folder)
    status, said = shown(project)
    assert status != 0
    assert "medfl: error: " in said
    assert "medfl: error: " in (project.folder / "results/logs/prepare/mine.log").read_text()


def test_a_split_that_is_not_of_these_data(project):
    (project.folder / "given").mkdir()
    lines = "".join(f"Zzhuber {k},{k % 2},train\n" for k in range(36))
    (project.folder / "given/seed0.csv").write_text(f"sample,client,fold\n{lines}")
    project.write_grid(**SETTINGS, split_file="given/seed{seed}.csv")
    status, said = shown(project)
    assert status != 0
    assert "its sample is not in data/prepared/mine" in said
