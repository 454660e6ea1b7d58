"""A tree of DICOM as hospitals export it becomes samples; the rest is listed and can be found."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from pictures import grey
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.pixels import pixel_array

from medfl.cli import main
from medfl.datasets.original import originals
from medfl.errors import MedflError
from medfl.identity import Pseudonyms, load_key
from medfl.store import Store
from tests.dicoms import write

TEXT = "folder: ../../raw\nlabels: {attribute: StudyDescription}\nsize: 8\n"
PLAIN = "preprocess: {intensity: full, channels: 1}\n"


def image(path: str, number: int, **values: object) -> Path:
    """A radiograph whose pixels are all ``number``, of the patient of its last digit."""
    person = number % 10
    known: dict[str, object] = {
        "PatientName": f"{('Rumpelstilz', 'Dornroes')[person % 2]}^Eva",
        "PatientID": f"MRN550{person}",
        "AccessionNumber": f"ACC77{number}",
        "StudyDescription": ("well", "sick")[person % 2],
        "InstitutionName": "North",
        "Modality": "DX",
        "SOPInstanceUID": f"1.2.3.{number}",
        "SeriesInstanceUID": f"1.2.4.{number}",
    }
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return write(Path(path), np.full((8, 8), number, np.uint8), **(known | values))


def record(store: Store) -> dict:
    return json.loads((store.path / "prepare.json").read_text())


@pytest.fixture
def tree(place):
    image("raw/IM0001", 10)
    image("raw/series 2 (copy)/scan.png", 11)  # DICOM all the same
    image("raw/series 2 (copy)/export.v2", 12)
    image("raw/again/twin.dcm", 10)
    image("raw/again/Rumpelstilz.dcm", 13, BurnedInAnnotation="YES")
    whole = image("raw/broken.dcm", 14)
    whole.write_bytes(whole.read_bytes()[:-20])
    shutil.copy(whole, "raw/DOE_JANE_1970.dcm")
    shutil.copy(whole, "raw/Dornroes late.dcm")
    structures = dcmread(get_testdata_file("rtstruct.dcm", download=False), force=True)
    structures.PatientName = "Schneewitt^Ida"  # "Test" would be found in "notes.txt"
    structures.save_as("raw/structures.dcm", implicit_vr=True, little_endian=True)
    image("raw/Schneewitt.dcm", 15, PixelData=None)
    Path("raw/notes.txt").write_text("Dear Eva")
    Path("raw/.hidden").write_text("x")
    return place


def test_dicom_is_found_by_content_and_the_rest_is_listed_by_name(made, tree, capsys):
    store = made(TEXT + PLAIN)
    # In the order of paths: IM0001, again/R…, series 2/export.v2, series 2/scan.png.
    assert store.images[:, 0, 4, 4].tolist() == [10, 13, 12, 11]
    assert [store.info.classes[k] for k in store.labels] == ["well", "sick", "well", "sick"]
    names = Pseudonyms(load_key("data"), "mine")
    found = {one["file"]: one for one in record(store)["excluded_files"]}
    cut = "is truncated: its pixel data are cut off"
    assert {name: one["reason"] for name, one in found.items()} == {
        ".hidden": "is a hidden file",
        "again/twin.dcm": "is the same image as another file (equal SOPInstanceUID and pixels)",
        "broken.dcm": cut,
        names.file("DOE_JANE_1970.dcm"): cut,
        names.file("Dornroes late.dcm"): cut,
        # Of whom only a file speaks that is left out itself.
        names.file("Schneewitt.dcm"): "holds no pixel data, or is truncated before them",
        "notes.txt": "is no image, DICOM, NIfTI or npz file",
        "structures.dcm": "holds no image (RT Structure Set Storage)",
    }
    assert found["again/twin.dcm"]["detail"] == "of IM0001"
    scan = record(store)["scan"]
    assert scan["files"] == 11  # but for the hidden one
    assert scan["files_per_second"] > 0
    assert record(store)["files_per_second"] > 0
    said = capsys.readouterr().err
    assert "reading headers" in said
    assert "broken.dcm" not in said or "DOE" not in said
    assert (
        f"medfl original mine {names.file('Dornroes late.dcm')}" in said or "medfl original" in said
    )
    assert "1 images: annotations are burnt into the pixels" in said
    assert "annotations are burnt" in "".join(record(store)["warnings"])


def test_burnt_in_text_is_a_finding_of_the_card(made, tree):
    made(TEXT)
    assert main(["inspect", "mine"]) == 0
    card = json.loads(Path("data/cards/mine/card.json").read_text())
    assert any("annotations are burnt into" in one["text"] for one in card["findings"])
    assert "annotations are burnt into" in Path("data/cards/mine/card.html").read_text()


@pytest.mark.parametrize(
    ("option", "shown"),
    [("hide", {".hidden": False, "broken.dcm": False}), ("show", {"DOE_JANE_1970.dcm": True})],
)
def test_names_of_files_are_hidden_or_shown_as_one_says(made, tree, option, shown):
    store = made(f"{TEXT}file_names: {option}\n")
    names = {one["file"] for one in record(store)["excluded_files"]}
    assert {name: name in names for name in shown} == shown


def test_headers_without_people_say_nothing_about_names_of_files(made, place):
    for number in (10, 11):
        image(f"raw/{number}.dcm", number, PatientName="", PatientID=f"A{number}")
    Path("raw/broken.dcm").write_bytes(b"x")
    names = Pseudonyms(load_key("data"), "mine")
    (left,) = record(made(TEXT))["excluded_files"]
    assert left["file"] == names.file("broken.dcm")


def test_a_hidden_name_leads_back_to_its_file(made, tree, monkeypatch, capsys):
    store = made(TEXT)
    names = Pseudonyms(load_key("data"), "mine")
    hidden = names.file("DOE_JANE_1970.dcm")
    where = Path("params/datasets/../../raw").resolve()
    assert main(["original", "mine", hidden]) == 2
    said = capsys.readouterr()
    assert "in a terminal only" in said.err
    assert "DOE" not in said.out + said.err
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert main(["original", "mine", hidden]) == 0
    assert Path(capsys.readouterr().out.strip()).resolve() == where / "DOE_JANE_1970.dcm"
    assert [path.name for path in originals("mine", store.ids[1])] == ["Rumpelstilz.dcm"]
    bare = "p-" + store.groups[0].split("-")[1]
    assert [path.name for path in originals("mine", bare)] == ["IM0001"]


@pytest.mark.parametrize(
    ("dataset", "name", "message"),
    [
        ("mine", "f-0123456789abcdef", "nothing below"),
        ("mine", "s000001-0123456789abcdef", "has no sample of this name"),
        ("mine", "p-0123456789abcdef", "has no patient of this name"),
        ("mine", "broken.dcm", "is no hidden name"),
        ("phantom", "f-0123456789abcdef", "keeps its publisher's names"),
        ("mime", "f-0123456789abcdef", "did you mean `mine`"),
    ],
)
def test_what_leads_nowhere_is_said(made, tree, dataset, name, message):
    made(TEXT)
    with pytest.raises(MedflError, match=message):
        originals(dataset, name)


def test_a_table_knows_files_by_accession_number(made, place):
    for number in (10, 11, 12, 21):
        image(f"raw/{number}", number)
    image("raw/second view of 10", 30, AccessionNumber="ACC7710")
    image("raw/no number", 15, AccessionNumber="")
    table = "acc_no,label,age\nACC7710,sick,50\nACC7711,well,61\nACC7721,sick,61\nACC99,well,70\n"
    text = "folder: ../../raw\ntable: labels.csv\nsize: 8\n" + PLAIN
    text += "columns: {dicom: {AccessionNumber: acc_no}, attributes: [age]}"
    store = made(text, table)
    assert store.images[:, 0, 4, 4].tolist() == [10, 11, 21, 30]
    assert [store.info.classes[k] for k in store.labels] == ["sick", "well", "sick", "sick"]
    assert store.attributes["age"].tolist() == ["50", "61", "61", "50"]
    # 10 and 30 are of one patient, by the header; 11 and 21 of another.
    assert store.groups[0] == store.groups[3] != store.groups[1] == store.groups[2]
    assert {(one["file"], one["reason"]) for one in record(store)["excluded_files"]} == {
        ("12", "no row of the table names it"),
        ("no number", "states no AccessionNumber"),
        ("line 5 of the table", "no DICOM file has its AccessionNumber"),
    }


@pytest.mark.parametrize(
    ("columns", "table", "message"),
    [
        ("{dicom: PatientID}", "PatientID,label\n5500,a\n", "no DICOM file below raw has a Pat"),
        ("{dicom: PatientID}", "PatientID,label\n00471,a\n", "(1 files would fit if zeros"),
        ("{dicom: PatientID}", "PatientID,label\n471,a\n471,b\n", "stands in line 2 already"),
        ("{dicom: PatientID}", "Patient,label\n471,a\n", "lacks the column `PatientID`"),
        ("{dicom: PatientIdd}", "PatientIdd,label\n471,a\n", "did you mean `PatientID`"),
        ("{dicom: PatientID, file: x}", "x,label\n471,a\n", "give either `dicom`, or `file`"),
        ("{dicom: {A: a, B: b}}", "x,label\n471,a\n", "takes one attribute"),
    ],
)
def test_mistakes_in_such_a_table(made, place, columns, table, message):
    image("raw/a", 10, PatientID="471")
    text = f"folder: ../../raw\ntable: labels.csv\nsize: 8\ncolumns: {columns}\n"
    with pytest.raises(MedflError) as error:
        made(text, table)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["50", "61", "2021-03-04", "70"], "`extra` holds a date, or a number of six digits"),
        (["1234567", "1", "2", "3"], "in 1 samples"),
        (["p0", "p1", "p2", "x"], "`extra` is a patient in 3 samples"),
    ],
)
def test_attributes_that_identify_people_are_refused(made, cells, message):
    for number in range(4):
        grey(f"xray/i{number}.png", number)
    rows = [f"i{n},{'ab'[n % 2]},p{n},{cell}" for n, cell in enumerate(cells)]
    text = "folder: ../../xray\ntable: labels.csv\nsize: 8\ncolumns: {attributes: [extra]}"
    with pytest.raises(MedflError) as error:
        made(text, "\n".join(["file,label,patient,extra", *rows]))
    assert message in str(error.value)
    assert not [cell for cell in cells if len(cell) > 2 and cell in str(error.value)]


def test_an_attribute_with_a_value_for_each_patient_is_warned_of(made, place):
    for number in range(20):
        grey(f"xray/i{number}.png", number)
    rows = [f"i{n},{'ab'[n % 2]},p{n},w{n},{n}.5" for n in range(20)]
    text = "folder: ../../xray\ntable: labels.csv\nsize: 8\ncolumns: {attributes: [ward, dose]}"
    store = made(text, "\n".join(["file,label,patient,ward,dose", *rows]))
    (warning,) = record(store)["warnings"]
    assert warning.startswith("`ward` has as many different values as there are patients")


def test_personal_keywords_are_refused_as_attributes(made, tree):
    with pytest.raises(MedflError, match=r"columns\.attributes: `PatientBirthDate` can identify"):
        made(TEXT + "columns: {attributes: [PatientBirthDate]}")


def test_a_row_of_a_file_that_was_left_out_is_not_called_missing(made, tree):
    table = "file,label\nIM0001,a\nexport.v2,b\nbroken.dcm,a\nabsent.dcm,b\n"
    store = made("folder: ../../raw\ntable: labels.csv\nsize: 8", table)
    reasons = {one["file"]: one["reason"] for one in record(store)["excluded_files"]}
    assert reasons["broken.dcm"] == "is truncated: its pixel data are cut off"
    assert [name for name, why in reasons.items() if "there is no such file" in why] == [
        "line 5 of the table"
    ]


@pytest.mark.parametrize(("modality", "is_said"), [("CT", True), ("DX", False)])
def test_slices_taken_as_images_are_pointed_out(made, place, modality, is_said):
    for number in range(12):
        values = {"SeriesInstanceUID": f"1.9.{number // 4}", "Modality": modality}
        position = [0, 0, number % 4]
        image(f"raw/{number}", number, ImagePositionPatient=position, **values)
    warnings = record(made(TEXT + PLAIN))["warnings"]
    assert any("LOOK LIKE SLICES of 3 volumes" in line for line in warnings) is is_said
    assert not any(
        "LOOK LIKE" in x for x in record(made(TEXT + PLAIN + "format: dicom"))["warnings"]
    )


def test_copies_with_another_label_are_said_to_be_so(made):
    for name, label in (("a", "sick"), ("b", "well"), ("c", "well"), ("d", "well")):
        number = {"a": 10, "b": 11, "c": 10, "d": 11}[name]  # c is a's copy, and d is b's
        image(f"raw/{label}/{name}.dcm", number)
    store = made("folder: ../../raw\nsize: 8\n" + PLAIN)
    assert [store.info.classes[k] for k in store.labels] == ["sick", "well"]
    copy = "is the same image as another file (equal SOPInstanceUID and pixels)"
    found = {one["file"]: one["reason"] for one in record(store)["excluded_files"]}
    assert found == {"well/c.dcm": f"{copy}, which has another label", "well/d.dcm": copy}
    said = "1 images are there twice with different labels"
    assert any(said in warning for warning in record(store)["warnings"])


@pytest.mark.parametrize(("frame", "shown"), [("first", 0), ("middle", 15), (29, 29)])
def test_a_frame_of_a_cine_loop_is_chosen_by_the_description(made, frame, shown):
    loop = get_testdata_file("examples_ybr_color.dcm")  # ultrasound, 30 frames
    for number in range(2):
        path = Path(f"raw/{'ab'[number]}/loop{number}.dcm")
        path.parent.mkdir(parents=True)
        header = dcmread(loop)
        header.SOPInstanceUID = f"1.2.3.{number}"
        header.PatientID = f"MRN5500{number}"
        header.save_as(path)
    text = "folder: ../../raw\nsize: 240\nmodality: none\npreprocess: {fit: crop}\n"
    store = made(f"{text}frame: {frame}\n")
    assert len(store) == 2
    expected = pixel_array(dcmread(loop), index=shown).astype(int)  # 240 × 320, the middle is kept
    np.testing.assert_allclose(store.images[0].transpose(1, 2, 0), expected[:, 40:280], atol=1)
    with pytest.raises(MedflError, match=r"holds 30 frames.*`frame`"):
        made(text, name="whole")


def test_segmentations_and_doses_beside_the_pictures_are_listed(made, place):
    for number, name in enumerate(("CT_small", "liver_1frame", "rtdose", "J2K_pixelrep_mismatch")):
        target = place / "raw" / "ab"[number % 2] / f"{number}.dcm"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(get_testdata_file(f"{name}.dcm"), target)
    store = made("folder: ../../raw\nsize: 16\n")
    assert store.info.channels == ("lung", "soft_tissue", "bone")  # the two that are CT pictures
    found = {one["file"]: one["reason"] for one in record(store)["excluded_files"]}
    assert found == {
        "b/1.dcm": "is about a picture and none itself (Segmentation Storage)",
        "a/2.dcm": "is about a picture and none itself (RT Dose Storage)",
    }


def test_pictures_of_several_modalities_are_counted_where_none_is_chosen(made):
    for number, modality in enumerate(("DX", "DX", "MR")):
        image(f"raw/{'ab'[number % 2]}/{number}.dcm", number, Modality=modality)
    with pytest.raises(MedflError, match=r"several modalities.*: DX \(2\), MR \(1\)\. Say by"):
        made("folder: ../../raw\nsize: 8\n")


def test_what_was_left_out_is_said_where_one_class_is_left(made):
    image("raw/a/0.dcm", 10)
    image("raw/b/1.dcm", 10)
    with pytest.raises(MedflError, match=r"the label `a`.*Left out were 1 \(1: is the same image"):
        made("folder: ../../raw\nsize: 8\n")
