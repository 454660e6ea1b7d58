"""Nothing that names a person reaches a file or the screen, from raw files to a trained run."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from medfl.cli import main
from medfl.data.loader import prepare
from medfl.data.store import Store
from medfl.partition import make_split
from tests.dicoms import write

NAMES = ("Rumpelstilz", "Dornroes", "Aschenputtel", "Schneewitt")
SECRETS = (*NAMES, "19610307", "1961-03-07", "ACC77", "MRN550", "Rosenkranz")


def hospital(folder: Path, patients: int = 16) -> None:
    """Three images a patient; names in headers, in folders and in files, and one damaged file."""
    rng = np.random.default_rng(0)
    for number in range(patients):
        name = f"{NAMES[number % 4]}^Eva{number}"
        home = folder / f"{NAMES[number % 4]}_{number}_19610307"
        home.mkdir(parents=True)
        for image in range(3):
            sick = number // 2 % 2
            values = {
                "PatientName": name,
                "PatientID": f"MRN550{number:02d}",
                "PatientBirthDate": "19610307",
                "AccessionNumber": f"ACC77{number}{image}",
                "ReferringPhysicianName": "Rosenkranz^Otto",
                "StudyDescription": "effusion" if sick else "clear",
                "InstitutionName": ("North", "South")[number % 2],
                "Modality": "DX",
                "SOPInstanceUID": f"1.2.3.{number}.{image}",
            }
            pixels = rng.integers(80 * sick, 80 * sick + 100, (12, 12)).astype(np.uint8)
            write(home / f"ACC77{number}{image}.dcm", pixels, **values)
    (folder / "Aschenputtel_letter.txt").write_text("Dear Eva")
    broken = folder / "Schneewitt_broken.dcm"
    broken.write_bytes((home / f"ACC77{number}0.dcm").read_bytes()[:-40])


DESCRIPTION = "folder: ../../raw\nlabels: {attribute: StudyDescription}\nsize: 8\nname: clinic"


def found(root: Path, skip: str) -> list[str]:
    """Secrets in names or bytes of files below a folder."""
    leaks = []
    for path in sorted(root.rglob("*")):
        if skip in path.relative_to(root).parts:
            continue
        content = path.read_bytes() if path.is_file() else b""
        for secret in SECRETS:
            if secret in path.name or secret.casefold().encode() in content.lower():
                leaks.append(f"{secret} in {path}")
    return leaks


def test_nothing_names_a_person_from_the_folder_to_the_run(place, capfd):
    hospital(place / "raw")
    Path("params/datasets/clinic.yaml").write_text(DESCRIPTION)
    Path("run.yaml").write_text(
        "dataset: clinic\npartition: site\nfederated_learning: {rounds: 1, num_clients: null}\n"
        "model: {name: logistic}\n"
    )
    split = "split clinic --partition site --output splits/site/seed0.csv"
    for command in ("prepare clinic", split, "run --config run.yaml --output-dir results/one"):
        assert main(command.split()) == 0
    said = "".join(capfd.readouterr())
    assert "2 left out" in said  # the damaged file and the letter
    assert "test accuracy" in said
    assert found(place, skip="raw") == []
    assert not [secret for secret in SECRETS if secret.casefold() in said.casefold()]
    # What the test looks for is there to be found.
    assert found(place / "raw", skip="none")
    store = Store.open("data/prepared/clinic")
    assert sorted(set(store.sites)) == ["North", "South"]
    assert len(set(store.groups)) == 16


def test_a_split_does_not_depend_on_the_key(place, monkeypatch):
    hospital(place / "raw")
    Path("params/datasets/clinic.yaml").write_text(DESCRIPTION)
    splits = []
    for key in ("0123456789abcdef" * 4, "fedcba9876543210" * 4):
        monkeypatch.setenv("MEDFL_KEY", key)
        store = Store.open(prepare("clinic", work_root=key[:4]))
        splits.append(make_split(store, "dirichlet-0.5", 3, 7))
    one, other = splits
    assert set(one.samples).isdisjoint(other.samples)
    assert one.clients.tolist() == other.clients.tolist()
    assert one.folds.tolist() == other.folds.tolist()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ("labels: {from: folder}", "patients or texts rather than classes"),
        ("labels: {attribute: PatientID}", "can identify a person"),
        (
            "labels: {attribute: StudyDescription}\nsite: {attribute: AccessionNumber}",
            "can identify a person",
        ),
    ],
)
def test_labels_and_sites_that_are_persons_are_refused(place, edit, message):
    hospital(place / "raw", 24)
    Path("params/datasets/clinic.yaml").write_text(f"folder: ../../raw\n{edit}\n")
    with pytest.raises(Exception, match=message) as error:
        prepare("clinic")
    assert not [secret for secret in SECRETS if secret in str(error.value)]


def test_a_label_that_holds_its_patients_name_is_left_out(place):
    hospital(place / "raw")
    shutil.rmtree(place / "raw" / f"{NAMES[0]}_0_19610307")
    values = {"PatientName": "Kasper^Ida", "PatientID": "MRN55099", "Modality": "DX"}
    pixels = np.zeros((8, 8), np.uint8)
    write(place / "raw" / "x.dcm", pixels, StudyDescription="control for Kasper", **values)
    Path("params/datasets/clinic.yaml").write_text(DESCRIPTION)
    store = Store.open(prepare("clinic"))
    assert store.info.classes == ("clear", "effusion")
    assert "name or number of its patient" in (store.path / "prepare.json").read_text()
