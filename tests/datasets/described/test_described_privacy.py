"""Nothing that names a person reaches a file or the screen, from raw files to a trained run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import medfl
from medfl.cli import main
from medfl.datasets.prepare import prepare
from medfl.errors import MedflError
from medfl.partition import make_split
from medfl.store import Store
from tests.dicom_series import write_slice
from tests.dicoms import write

NAMES = ("Rumpelstilz", "Dornroes", "Aschenputtel", "Schneewitt")
SECRETS = (
    *NAMES,
    *("19610307", "1961-03-07", "07.03.1961", "ACC77", "MRN550", "MRN-550", "Rosenkranz"),
    *("OLD88", "1.2.3.4.55"),
)


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
                "OtherPatientIDs": [f"OLD88{number:02d}", f"X{number:02d}Z"],
                "StudyInstanceUID": f"1.2.3.4.55.{number}",
                "ReferringPhysicianName": "Rosenkranz^Otto",
                "StudyDescription": "effusion" if sick else "clear",
                "InstitutionName": ("North", "South")[number % 2],
                "Modality": "DX",
                "SOPInstanceUID": f"1.2.3.{number}.{image}",
            }
            pixels = rng.integers(80 * sick, 80 * sick + 100, (12, 12)).astype(np.uint8)
            stem = (f"ACC77{number}{image}", f"OLD88{number:02d}", f"{NAMES[number % 4]} pa")[image]
            write(home / f"{stem}.dcm", pixels, **values)
    (folder / "Aschenputtel_letter.txt").write_text("Dear Eva")
    broken = folder / "Schneewitt_broken.dcm"
    broken.write_bytes((home / f"ACC77{number}0.dcm").read_bytes()[:-40])
    copy = folder / "Dr Rosenkranz 07.03.1961" / "1.2.3.4.55.1.dcm"
    copy.parent.mkdir()
    copy.write_bytes((home / f"ACC77{number}0.dcm").read_bytes())


DESCRIPTION = "folder: ../../raw\nlabels: {attribute: StudyDescription}\nname: clinic"
SMALL = f"{DESCRIPTION}\nsize: 8\n"


def found(root: Path, skip: str) -> list[str]:
    """Secrets in names or bytes of files below a folder."""
    leaks = []
    for path in sorted(root.rglob("*")):
        if skip in path.relative_to(root).parts or path.name == "labels.csv":  # the data itself
            continue
        content = path.read_bytes() if path.is_file() else b""
        for secret in SECRETS:
            if secret in path.name or secret.casefold().encode() in content.lower():
                leaks.append(f"{secret} in {path}")
    return leaks


def series(folder: Path, patients: int = 16) -> None:
    """Volumes of three slices, in folders and files of names; a slice that lies nowhere, a copy."""
    for number in range(patients):
        home = folder / f"{NAMES[number % 4]}_{number}_19610307" / f"ACC77{number}"
        for image in range(3):
            file = write_slice(
                home / f"{NAMES[number % 4]}_{image}.dcm",
                (0.0, 0.0, 2.0 * image),
                spacing=(1.0, 1.0),
                values=np.full((6, 6), 40.0 * (number // 2 % 2) + image),
                series=f"1.2.3.4.55.{number}",
                PatientName=f"{NAMES[number % 4]}^Eva{number}",
                PatientID=f"MRN550{number:02d}",
                PatientBirthDate="19610307",
                AccessionNumber=f"ACC77{number}",
                StudyDescription=("clear", "effusion")[number // 2 % 2],
                InstitutionName=("North", "South")[number % 2],
            )
    (folder / "Rosenkranz_MRN-550_copy.dcm").write_bytes(file.read_bytes())
    write_slice(folder / "ACC770_lone.dcm", (0, 0, 0), series="9.9", PatientName="Rosenkranz^Otto")


def pictures(folder: Path, patients: int = 16) -> None:
    """Plain images named after people, and a table in which some have no file and no row."""
    rows = ["file,label,patient,site"]
    for number in range(patients):
        for image in range(3):
            name = f"{NAMES[number % 4]}_{number}_1961-03-07_{image}.png"
            values = np.full((8, 8), 80 * (number // 2 % 2) + number + image, np.uint8)
            folder.mkdir(exist_ok=True)
            Image.fromarray(values).save(folder / name)
            label = ("clear", "effusion")[number // 2 % 2]
            rows.append(f"{name},{label},MRN550{number:02d},{('North', 'South')[number % 2]}")
    rows.append("Rosenkranz_ACC77.png,clear,MRN55099,North")
    Path("params/datasets/labels.csv").write_text("\n".join(rows))
    (folder / "Rosenkranz MRN-550.png").write_bytes(b"no picture")


KINDS = {
    "files": (hospital, DESCRIPTION, "3 left out"),  # the damaged file, the copy and the letter
    "series": (series, f"{DESCRIPTION}\nformat: dicom-series", "2 left out"),
    # Strict: a picture without a row, and a row without a picture.
    "pictures": (pictures, "folder: ../../raw\ntable: labels.csv\nname: clinic", "2 left out"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_names_a_person_from_the_folder_to_the_run(place, capfd, kind):
    make, description, left_out = KINDS[kind]
    make(place / "raw")
    Path("params/datasets/clinic.yaml").write_text(f"{description}\nsize: 8\n")
    Path("run.yaml").write_text(
        "dataset: clinic\npartition: site\nfederated_learning: {rounds: 1, num_clients: null}\n"
        "model: {name: logistic}\n"
    )
    split = "split clinic --partition site --output splits/site/seed0.csv"
    for command in (
        "prepare clinic",
        "inspect clinic",
        split,
        "run --config run.yaml --output-dir results/one",
    ):
        assert main(command.split()) == 0
    said = "".join(capfd.readouterr())
    assert left_out in said
    assert "test balanced accuracy" in said
    assert found(place, skip="raw") == []
    assert not [secret for secret in SECRETS if secret.casefold() in said.casefold()]
    # What the test looks for is there to be found.
    assert found(place / "raw", skip="none")
    store = Store.open("data/prepared/clinic")
    assert sorted(set(store.sites)) == ["North", "South"]
    assert len(set(store.groups)) == 16


@pytest.mark.slow
def test_nothing_names_a_person_in_a_whole_benchmark(place):
    hospital(place / "raw")
    Path("params/datasets/clinic.yaml").write_text(SMALL)
    command = "benchmark --dataset clinic --partition site --algorithms local,fedavg --rounds 1"
    command += " --model logistic --output-dir results/all --cores 1"
    done = subprocess.run(
        [sys.executable, "-m", "medfl.cli", *command.split()],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(medfl.__file__).parent.parent)},
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-2000:]
    assert Path("results/all/report.html").is_file()
    assert found(place, skip="raw") == []
    assert not [secret for secret in SECRETS if secret.casefold() in said.casefold()]


def test_a_split_does_not_depend_on_the_key(place, monkeypatch):
    hospital(place / "raw")
    Path("params/datasets/clinic.yaml").write_text(SMALL)
    splits = []
    for key in ("0123456789abcdef" * 4, "fedcba9876543210" * 4):
        monkeypatch.setenv("MEDFL_KEY", key)
        store = Store.open(prepare("clinic", work_root=key[:4]))
        splits.append(make_split(store, "dirichlet-0.5", 3, 7))
    one, other = splits
    assert set(one.samples).isdisjoint(other.samples)
    assert one.clients.tolist() == other.clients.tolist()
    assert one.folds.tolist() == other.folds.tolist()


@pytest.mark.parametrize("key", ["labels", "site"])
def test_few_folders_that_are_called_by_their_patients_are_no_labels_and_no_sites(place, key):
    hospital(place / "raw", 5)
    description = {"labels": "{from: folder}", "site": "{level: 1}"}
    text = f"{key}: {description[key]}\n"
    if key == "site":
        text += "labels: {attribute: StudyDescription}\n"
    Path("params/datasets/clinic.yaml").write_text(f"folder: ../../raw\n{text}")
    # Five patients' folders, and the one with a physician's name and a date.
    with pytest.raises(MedflError, match=f"6 of the 6 values that are to be the {key}") as error:
        prepare("clinic")
    assert not [secret for secret in SECRETS if secret in str(error.value)]


def test_a_patient_may_be_called_like_a_class_that_others_have_too(place):
    for number, name in enumerate(("Sick^Ida", "Well^Eva", "Berg^Ann", "Tal^Eva")):
        label = ("sick", "well")[number % 2]
        values = {"PatientName": name, "PatientID": f"MRN5500{number}", "Modality": "DX"}
        (place / "raw" / label).mkdir(parents=True, exist_ok=True)
        pixels = np.full((8, 8), number, np.uint8)
        uid = f"1.2.3.{number}"
        write(place / "raw" / label / f"{number}.dcm", pixels, SOPInstanceUID=uid, **values)
    Path("params/datasets/clinic.yaml").write_text("folder: ../../raw\nsize: 8\n")
    assert Store.open(prepare("clinic")).info.classes == ("sick", "well")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ("labels: {from: folder}", "patients or texts rather than classes"),
        ("labels: {attribute: PatientID}", "can identify a person"),
        ('labels: {attribute: "00100010"}', "can identify a person"),
        ("labels: {attribute: patientid}", "can identify a person"),
        (
            "labels: {attribute: StudyDescription}\nsite: {attribute: '(0010,0030)'}",
            "can identify a person",
        ),
        (
            "labels: {attribute: StudyDescription}\n"
            "site: {attribute: 'RequestAttributesSequence[0].PatientName'}",
            "can identify a person",
        ),
        (
            "labels: {attribute: StudyDescription}\nsite: {attribute: '00400275/00100010'}",
            "can identify a person",
        ),
        (
            "labels: {attribute: StudyDescription}\ncolumns: {attributes: ['0x00291010']}",
            "can identify a person",
        ),
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
    Path("params/datasets/clinic.yaml").write_text(SMALL)
    store = Store.open(prepare("clinic"))
    assert store.info.classes == ("clear", "effusion")
    assert "name or number of its patient" in (store.path / "prepare.json").read_text()
