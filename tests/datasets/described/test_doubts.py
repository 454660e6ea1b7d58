"""What a person is asked to look at: ids that may be of several people, or of one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from dicoms import write
from pictures import grey

from medfl.datasets.described.doubts import about_derived, about_fold_names, about_share
from medfl.datasets.described.id_words import about_id_words

TABLE = "folder: ../../raw\ntable: labels.csv\nsize: 8\n"


def said(store) -> str:
    return "\n".join(json.loads((store.path / "prepare.json").read_text())["warnings"])


def files(number: int, **attributes) -> None:
    Path("raw").mkdir(exist_ok=True)
    pixels = np.full((8, 8), 10 * number, np.uint8)
    write(Path(f"raw/{number}.dcm"), pixels, SOPInstanceUID=f"1.2.{number}", **attributes)


def rows(*patients: str, columns: str = "file,label,patient") -> str:
    lines = [f"{number}.dcm,{'ab'[number % 2]},{who}" for number, who in enumerate(patients)]
    return "\n".join([columns, *lines]) + "\n"


@pytest.mark.parametrize(
    ("headers", "table", "told"),
    [
        ("AABB", "p p q q", 0),  # other names, the same people
        ("AABB", "p q r r", 1),
        ("AABB", "p q r s", 2),
        ("AABB", "p p p p", 0),  # nobody is divided
        ("AAAA", "p p q r", 0),  # an anonymiser's number
        (["", "", "NA", "NA"], "p q r s", 0),
        ("AABB", ["p", "", "q", "q"], 1),  # who has no cell counts as a patient of its own
    ],
)
def test_patients_of_headers_that_the_table_divides(made, headers, table, told):
    for number, who in enumerate(headers):
        files(number, PatientID=who)
    whose = table.split() if isinstance(table, str) else table
    warned = said(made(TABLE, rows(*whose)))
    assert (f"{told} of 2 patients by the headers (PatientID) are several" in warned) is bool(told)
    assert bool(told) or "by the headers" not in warned


def test_numbers_of_headers_are_compared_within_a_site(made):
    for number in range(8):
        files(number, PatientID=str(number // 2 % 2))
    whose = [f"{'NS'[n // 4]}{n // 2 % 2},{'NS'[n // 4]}" for n in range(8)]
    columns = "file,label,patient,site"
    assert "by the headers" not in said(made(TABLE, rows(*whose, columns=columns)))
    whose[0] = "other,N"
    warned = said(made(TABLE, rows(*whose, columns=columns)))
    assert "1 of 4 patients by the headers (PatientID) are several" in warned
    taken = made(TABLE + "patient: {from: dicom, ids: by_site}\n", rows(*whose, columns=columns))
    assert "by the headers" not in said(taken)


def test_ids_in_paths_that_begin_anew_in_each_folder(made):
    number = 0
    for folder in ("ill/p1", "ill/p2", "well/p1", "well/p3"):
        for _ in range(2):
            number += 1
            grey(f"raw/{folder}/{number}.png", 5 * number, (8, 8))
    text = "folder: ../../raw\nsize: 8\nlabels: {level: 1}\n"
    anew = "1 of 3 patients have an id that stands in the paths below several folders"
    for rule in ("{level: 2}", "{pattern: '(p[0-9])/'}"):
        assert anew in said(made(text + f"patient: {rule}\n", force=True))
    store = made(text + "patient: {pattern: '([a-z]+/p[0-9])/'}\n", force=True)
    assert len(set(store.groups)) == 4
    assert "below several folders" not in said(store)


def test_folders_of_folds_sites_parts_and_roles_do_not_count(made):
    for number, folder in enumerate(("images_1/train", "images_2/train", "images_1/test")):
        for label in "ab":
            path = f"raw/{folder}/{label}/p{number % 2}{label}_{number}.png"
            grey(path, 10 * number + 5 * (label == "b"), (8, 8))
    text = "folder: ../../raw\nsize: 8\nlabels: {level: 3}\n"
    store = made(text + "patient: {pattern: '(p[0-9].)_'}\nfold: {level: 2}\n")
    assert "below several folders" not in said(store)


def test_a_patient_with_most_of_the_samples_may_be_nobody():
    usual = [f"p{number // 2}" for number in range(40)]
    assert about_share(usual) == []
    (line,) = about_share([*usual, *["999"] * 20])
    assert line.startswith("1 of 21 patients have 20 of 60 samples, and half of all have at most 2")
    assert "999" not in line.replace("(999, test)", "")
    assert about_share([*usual, *["999"] * 19]) == []  # less than ten times the others
    assert about_share([*usual, *[""] * 50]) == []
    assert about_share(["a"] * 30 + ["b", "c"]) == []  # of so few, none is usual


def test_a_label_of_the_table_against_that_of_the_folder(made):
    lines = ["file,label,patient"]
    for number in range(8):
        folder = "Be-nign" if number < 4 else "malignant"
        grey(f"raw/{folder}/{number}.png", 10 * number, (8, 8))
        lines.append(
            f"{number}.png,{'benign' if number in (0, 1, 2, 7) else 'malignant'},P{number}"
        )
    warned = said(made(TABLE, "\n".join(lines) + "\n"))
    assert "2 samples have another label in the table than the folder says" in warned
    lines = [line.replace("benign", "a").replace("malignant", "b") for line in lines]
    assert "another label" not in said(made(TABLE, "\n".join(lines) + "\n", force=True))


def test_files_that_are_called_as_another_image_is_with_a_word_behind():
    images = [f"{'ab'[n % 2]}/case ({n}).png" for n in range(8)]
    assert about_derived(images) == []
    for end in ("_lesion", " - Heatmap", "_flipped2", ".edited"):
        (line,) = about_derived([*images, *(f"{one[:-4]}{end}.jpg" for one in images)])
        assert line.startswith("8 files are called as another image is, with a word behind it")
    assert about_derived([*images, "a/case (0)_copy.png", "b/case (1)_copy.png"]) == []  # too few
    assert about_derived([*images, *(f"c/{one[2:-4]}_lesion.png" for one in images)]) == []
    views = [f"p{n}_{side}.png" for n in range(8) for side in ("left", "right")]
    assert about_derived(views) == []  # no image is called p1
    assert about_derived([f"a/{n}{end}.png" for n in range(8) for end in ("", "_1", "_2")]) == []


def test_a_column_that_is_called_like_a_patients_number_is_named(made):
    for number in range(4):
        grey(f"raw/{number}.png", 10 * number, (8, 8))
    lines = [f"{number}.png,{'ab'[number % 2]},{number // 2}" for number in range(4)]
    for column, told in (("Patient ID", True), ("PID", True), ("patients_nr", True), ("x", False)):
        text = "\n".join([f"file,label,{column}", *lines]) + "\n"
        named = f"called like a patient's number (`{column}`): if it is, say `columns: {{pat"
        assert (named in said(made(TABLE, text, force=True))) is told
    text = TABLE + "columns: {patient: PID}\n"
    store = made(text, "\n".join(["file,label,PID", *lines]) + "\n", force=True)
    assert "called like a patient" not in said(store)


def test_files_that_are_called_like_folds_are_spoken_of():
    (line,) = about_fold_names([f"a/{fold}_{n}.png" for fold in ("train", "TEST") for n in (1, 2)])
    assert "`fold: {pattern:" in line
    assert about_fold_names(["a/train_1.png", "a/train_2.png"]) == []  # one fold is none
    assert about_fold_names(["a/train_1.png", "a/test_1.png", "a/x.png"]) == []


def test_numbers_with_and_without_a_word_for_a_person():
    (line,) = about_id_words(["7", "P-007", "patient 7", "8", "", "pat_8", "9", "A10", "10"])
    assert line.startswith("5 patients have 2 numbers, with and without a word before them")
    assert about_id_words(["7", "07", "7.0"]) == []  # spellings of one, of which others speak
    assert about_id_words(["P1", "P2", "", "A1", "B1", "sub-12", "sub-1-2"]) == []


def test_ids_with_and_without_a_word_are_told_of_a_set(made):
    for number, _ in enumerate("1234"):
        grey(f"raw/{number}.png", 10 * number, (8, 8))
    table = rows("7", "P7", "8", "9").replace(".dcm", ".png")
    assert "2 patients have 1 numbers, with and without a word" in said(made(TABLE, table))
