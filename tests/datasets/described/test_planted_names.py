"""Names are planted wherever data can hold them: no output, error or log may show one of them."""

from __future__ import annotations

import gzip
import os
import struct
import traceback
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from medfl import CustomMedicalDataset, MedicalDataLoader
from medfl.cli import main
from medfl.datasets.prepare import prepare
from medfl.errors import MedflError
from tests.dicoms import write
from tests.planted import PEOPLE, csv, leaks, pictures


def person(number: int) -> dict[str, object]:
    """What a header says of one patient."""
    return {
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientName": PEOPLE[number % len(PEOPLE)],
        "PatientID": f"ZZID{number:02d}",
        "PatientBirthDate": "19570313",
        "AccessionNumber": f"ZZACC{number:02d}",
        "StudyID": f"ZZSTUDY{number}",
        "ReferringPhysicianName": "Zzdoctor^Xaver",
        "InstitutionAddress": "Zzstreet 5",
        "OtherPatientNames": "Zzother^Name",
        "StudyInstanceUID": f"1.2.826.4711.{number}",
        "SOPInstanceUID": f"1.2.826.4711.{number}.1",
        "InstitutionName": ("North", "South")[number % 2],
        "StudyDescription": ("well", "sick")[number // 2 % 2],
        "Modality": "CR",
    }


def radiographs(place: Path, number: int = 8) -> Path:
    """Sound files, in folders that are called by their patients in one way or another."""
    raw = place / "raw"
    for k in range(number):
        name = PEOPLE[k % len(PEOPLE)].replace("^", "_" if k % 2 else " ")
        home = raw / ("well", "sick")[k // 2 % 2] / f"{name}{' 1957-03-13' if k > 5 else ''}"
        home.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(k).integers(0, 255, (12, 12)).astype(np.uint8)
        write(home / f"IM{k:04d}.dcm", pixels, **person(k))
        (home / f"Dr. {name}.txt").write_text("dear")
        (home / f"ZZACC{k:02d} report.pdf").write_text("dear")
    return raw


@pytest.fixture
def tried(place, capfd) -> Callable[..., str]:
    """Prepare what a description says, by the command and from Python; nothing may leak."""

    def run(description: str, table: str | bytes = "") -> str:
        Path("params/datasets/mine.yaml").write_text(f"folder: ../../raw\nsize: 8\n{description}")
        if table:
            content = table if isinstance(table, bytes) else table.encode()
            Path("params/datasets/labels.csv").write_bytes(content)
        main(["prepare", "mine", "--force"])
        python = ""
        try:
            prepare("mine", force=True)
        except MedflError:
            python = traceback.format_exc()
        said = "".join(capfd.readouterr())
        assert "Traceback" not in said
        assert leaks(place, said + python) == []
        return said

    return run


LABELS = "labels: {attribute: StudyDescription}\n"


@pytest.mark.parametrize("option", ["auto", "hide"])
def test_sound_headers_and_what_lies_beside_them(place, tried, option):
    radiographs(place)
    said = tried(f"{LABELS}file_names: {option}")
    assert "16 left out" in said
    assert "is no image, DICOM, NIfTI or npz file" in said  # though patients are called so


TEXTS = (0x00080016, 0x00080060, 0x00080080, 0x00081030, 0x00080090, 0x00100010, 0x00100020)


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("tag", TEXTS)
def test_damaged_lengths(place, tried, tag, explicit):
    raw = radiographs(place)
    syntax = "explicit" if explicit else "implicit"
    path = raw / "well" / "Zzhuber_Anneliese" / "IM0099"
    path.parent.mkdir(exist_ok=True)
    write(path, np.zeros((12, 12), np.uint8), syntax, **person(2))
    whole = path.read_bytes()
    start = whole.find(struct.pack("<HH", tag >> 16, tag & 0xFFFF), 132)
    for number, end in enumerate((0x00100030, 0x00200010, 0x00280010, 0x7FE00010)):
        stop = whole.find(struct.pack("<HH", end >> 16, end & 0xFFFF), start + 4)
        data = bytearray(whole)
        struct.pack_into("<H", data, start + (6 if explicit else 4), stop - start - 8)
        path.with_name(f"IM{number:04d}").write_bytes(data)
    path.unlink()
    assert "left out" in tried(LABELS)


def test_headers_with_flipped_and_missing_bytes(place, tried):
    raw = radiographs(place)
    whole = (raw / "well" / "Ng An" / "IM0000.dcm").read_bytes()
    random = np.random.default_rng(0)
    odd = raw / "sick" / "Ng_An"
    odd.mkdir()
    for number in range(120):
        data = bytearray(whole)
        for place_of in random.integers(132, len(data) - 150, 1 + number % 4):
            data[place_of] ^= 1 << random.integers(8)
        cut = random.integers(140, len(data)) if number % 5 == 0 else len(data)
        (odd / f"IM{number:04d}").write_bytes(data[:cut])
    tried(LABELS)
    tried(f"{LABELS}site: {{attribute: StationName}}\ncolumns: {{attributes: [PatientSex]}}")


ROADS = ["00100010", "(0010,0010)", "0010,0010", "0x00100010", "patientname", "00100020"]
ROADS += ["PatientComments", "RequestAttributesSequence.PatientName", "00400275/00100010"]
ROADS += ["(0029,1010)", "0029,1010", "StudyID", "00200010", "(0008,0050)", "OtherPatientNames"]
ROADS += ["StudyInstanceUID", "0020000d", "ReferringPhysicianName", "InstitutionAddress"]
ROADS += ["ClinicalTrialSubjectID", "(0012,0042)", "ServiceEpisodeID", "ReasonForStudy"]


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("use", ["labels", "site", "attributes"])
def test_attributes_by_every_road(place, tried, road, use):
    radiographs(place)
    asked = {
        "labels": f"labels: {{attribute: '{road}'}}",
        "site": f"{LABELS}site: {{attribute: '{road}'}}",
        "attributes": f"{LABELS}columns: {{attributes: ['{road}']}}",
    }
    assert "can identify a person" in tried(asked[use])
    assert not Path("data/prepared/mine").exists()


def swapped(rows: list[list[str]], one: int, other: int, only: int | None = None):
    rows = [row.copy() for row in rows]
    for number, row in enumerate(rows):
        if only is None or number // 2 == only:
            row[one], row[other] = row[other], row[one]
    return rows


TABLE = "table: labels.csv\n"


def test_a_table_in_order(place, tried):
    assert "12 images" in tried(TABLE + "columns: {attributes: [age]}", csv(pictures(place)))


@pytest.mark.parametrize("only", [None, 0, 4])
@pytest.mark.parametrize("pair", [(1, 2), (2, 3), (2, 4), (0, 1), (0, 2), (0, 3)])
@pytest.mark.parametrize("more", ["", "labels: {classes: [sick, well]}\n"])
def test_mixed_up_columns(place, tried, pair, only, more):
    rows = swapped(pictures(place), *pair, only)
    tried(f"{TABLE}{more}columns: {{attributes: [age]}}", csv(rows))


@pytest.mark.parametrize(
    "columns",
    [
        "{site: patient}",
        "{label: patient, patient: site}",
        "{label: patient}",
        "{site: person, patient: patient}",
        "{label: person}",
        "{attributes: [person]}",
        "{label: [patient, site]}",
        "{fold: patient}",
        "{id: patient, fold: site}",
        "{file: patient}",
        "{patient: nobody}",
        "{label: lable}",
    ],
)
def test_columns_that_are_the_patients(place, tried, columns):
    rows = [[*row, row[2]] for row in pictures(place)]
    said = tried(f"{TABLE}columns: {columns}", csv(rows, "file,label,patient,site,age,person"))
    assert "medfl: error" in said


@pytest.mark.parametrize(
    "columns", ["", "columns: {file: Ng_An_0.png, label: sick, patient: Ng An, site: Ng An}\n"]
)
@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (2, 1, 4, 3), (2, 2, 1)])
def test_tables_without_a_header(place, tried, columns, order):
    rows = [[row[k] for k in order] for row in pictures(place)]
    assert "medfl: error" in tried(TABLE + columns, csv(rows, ""))


def test_damaged_tables(place, tried):
    table = csv(pictures(place)).encode()
    for odd in (
        *(table + b"Zzhuber,a,b,c,d,e,f,g\n", table + table.split(b"\n", 1)[1]),
        *(table + b'"Zzhuber\n', b"\xff" + table, table.replace(b",", b";", 3)),
        *(table.replace(b"sick", b"Zzhuber^Anneliese", 1), table[:40]),
        table.replace(b"label", b"Zzhuber"),
    ):
        tried(TABLE, odd)
        tried(TABLE + "labels: {classes: [sick, well]}", odd)


def damaged_files(raw: Path) -> None:
    """Files of every kind that fail to be read, with a name in the bytes at which they fail."""
    name = b"ZZHUBER_ANNELIESE_19570313"
    for number, text in enumerate(
        (b"P2\n" + name + b" 3\n255\n", b"P5\n3 " + name, b"P6 3 3 " + name, b"P7\n" + name)
    ):
        (raw / f"IM{number:04d}.pgm").write_bytes(text)
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "Zzhuber^Anneliese")
    Image.fromarray(np.zeros((30, 30), np.uint8)).save(raw / "IM0010.png", pnginfo=info)
    whole = (raw / "IM0010.png").read_bytes()
    for number in range(11, 31):
        data = bytearray(whole)
        data[np.random.default_rng(number).integers(8, len(data))] ^= 0x55
        (raw / f"IM{number:04d}.png").write_bytes(data[: len(data) - number])
    (raw / "IM0040.tif").write_bytes(b"II*\0\x08\0\0\0\x01\0\x0e\x01\x02\0\xff\0\0\0" + name)
    (raw / "IM0041.gif").write_bytes(b"GIF89a" + name)
    (raw / "IM0042.jpg").write_bytes(b"\xff\xd8\xff\xe1\0\x20Exif\0\0" + name)
    (raw / "IM0043.npy").write_bytes(b"\x93NUMPY\x01\0v\0{'descr': '" + name + b"'}")
    np.save(raw / "IM0044.npy", np.array([{"name": "Zzhuber"}], object), allow_pickle=True)
    (raw / "IM0045.npz").write_bytes(b"PK\x03\x04" + name)
    image = nibabel.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4))
    image.header["descrip"] = name
    nibabel.save(image, raw / "IM0046.nii")
    header = bytearray((raw / "IM0046.nii").read_bytes())
    for number, where in enumerate((0, 40, 70, 72, 108, 254, 344)):
        odd = bytes(header[:where]) + name + bytes(header[where + len(name) :])
        (raw / f"IM{50 + number:04d}.nii").write_bytes(odd)
        (raw / f"IM{60 + number:04d}.nii.gz").write_bytes(gzip.compress(odd)[:-9])
    (raw / "IM0070.nii.gz").write_bytes(name)
    (raw / "IM0071.dcm").write_bytes(bytes(128) + b"DICM" + name)
    (raw / "IM0072.dcm").write_bytes(name)
    os.mkfifo(raw / "Zzhuber.png")
    (raw / "Zzfile").symlink_to(raw / "Zzhuber")
    (raw / ".Zzhuber").mkdir()


@pytest.mark.filterwarnings("error")
def test_reads_that_fail(place, tried):
    rows = pictures(place)
    damaged_files(place / "raw")
    said = tried(TABLE, csv(rows))
    assert "no row of the table names it" in said
    for folder in ("a", "b"):
        (place / "raw" / folder).mkdir()
        damaged_files(place / "raw" / folder)
    said = tried("labels: {level: 1}\n")
    assert "medfl: error" in said or "left out" in said


def test_a_class_of_ones_own_that_fails(place, capfd):
    class Wards(CustomMedicalDataset):
        size = 8
        how = ""

        def load_data(self):
            for k in range(8):
                name = PEOPLE[k // 2]
                if self.how == "raise" and k == 3:
                    raise KeyError(name)
                if self.how == "int" and k == 3:
                    int(name)
                image = {
                    "path": place / name / "missing.png",
                    "call": lambda name=name: float(name),
                }.get(self.how, np.full((8, 8), k, np.uint8))
                site = name if self.how == "site" else "north"
                label = name if self.how == "label" else "ab"[k % 2]
                more = {"attributes": {"who": name}} if self.how == "attributes" else {}
                yield {"image": image, "label": label, "patient": name, "site": site, **more}

    for how in ("", "raise", "int", "path", "call", "site", "label", "attributes"):
        dataset = Wards()
        dataset.how = how
        python = ""
        try:
            MedicalDataLoader(dataset).prepare(force=True)
        except MedflError:
            python = traceback.format_exc()
        assert (python == "") == (how == "")
        # The frames of a traceback show this file's lines, so the last one is looked at.
        said = "".join(capfd.readouterr()) + "".join(python.splitlines()[-1:])
        assert leaks(place, said) == []
