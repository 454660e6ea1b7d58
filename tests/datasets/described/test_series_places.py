"""A series and its folder: what its place says of it, and series that lie in two places."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from medfl.errors import MedflError
from medfl.store import Store
from tests.dicom_series import write_slice

TEXT = "folder: ../../mr\nformat: dicom-series\nfile_names: show\nsize: 8\n"


def series(folder: str, number: int, slices: range = range(4), **attributes: object) -> None:
    """Slices of one value, each series another one, of a patient of its own."""
    Path("mr", folder).mkdir(parents=True, exist_ok=True)
    for k in slices:
        write_slice(
            Path("mr", folder, f"IM{k}.dcm"),
            (0.0, 0.0, 2.0 * k),
            spacing=(1.0, 1.0),
            values=np.full((8, 8), 10 * number),
            series=f"1.2.{number}",
            **{"PatientID": f"P{number}", "Modality": "MR"} | attributes,
        )


def labels(store: Store) -> list[str]:
    return [store.info.classes[k] for k in store.labels]


def left(store: Store) -> dict[str, str]:
    record = json.loads((store.path / "prepare.json").read_text())
    return {one["file"]: one["reason"] for one in record["excluded_files"]}


def told(store: Store) -> str:
    return " ".join(json.loads((store.path / "prepare.json").read_text())["warnings"])


def test_the_last_level_is_the_folder_of_the_slices_themselves(made):
    for number in range(4):
        series(f"case{number // 2}/{'T1' if number % 2 else 'FLAIR'}", number)
    assert labels(made(TEXT + "labels: {level: 2}")) == ["FLAIR", "T1", "FLAIR", "T1"]
    store = made(TEXT + "labels: {level: 2}\nsite: {level: 1}")
    assert store.sites.tolist() == ["case0", "case0", "case1", "case1"]
    store = made(TEXT + "labels: {level: 2}\npatient: {pattern: '(.+)/'}")
    assert store.groups[0] == store.groups[1] != store.groups[2]


def test_a_class_folder_may_hold_the_slices_themselves(made):
    """One series alone in its class folder, and two series in another."""
    series("well", 1)
    series("sick", 2)
    series("sick", 3, range(5, 9))
    assert labels(made(TEXT)) == ["sick", "sick", "well"]


def test_half_a_series_in_each_of_two_class_folders_has_no_label(made, capsys):
    for number in range(4):
        series(f"{'sick' if number % 2 else 'well'}/case{number}", number)
    series("well/case5", 5, range(2))
    series("sick/half", 5, range(2, 4))
    store = made(TEXT)
    assert labels(store) == ["sick", "sick", "well", "well"]
    assert list(left(store).values()) == [
        "has slices of different labels: nobody knows which is right"
    ]
    assert "1 volumes have slices of different labels" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("site: {level: 2}", "sites"),
        ("patient: {pattern: '(case[0-9])'}", "patients"),
        ("fold: {level: 2, map: {case5: test, '*': train}}", "folds"),
        ("labels: {attribute: StudyDescription}", "labels"),
    ],
)
def test_a_series_in_two_places_has_no_other_fact_either(made, text, kind):
    for number in range(4):
        label = "sick" if number % 2 else "well"
        series(f"{label}/case{number}", number, StudyDescription=label)
    series("well/case5", 5, range(2), StudyDescription="well")
    series("well/case6", 5, range(2, 4), StudyDescription="sick")
    store = made(TEXT + text)
    assert list(left(store).values()) == [
        f"has slices of different {kind}: nobody knows which is right"
    ]
    assert f"1 volumes have slices of different {kind}" in told(store)


def test_a_series_in_two_folds_that_were_found_is_left_out(made):
    for number in range(4):
        label = "sick" if number % 2 else "well"
        series(f"{'train' if number < 2 else 'test'}/{label}/case{number}", number)
    series("train/well/case5", 5, range(3))
    series("test/well/case5", 5, range(3, 5))
    store = made(TEXT)
    assert labels(store) == ["sick", "well", "sick", "well"]
    assert store.folds.tolist() == ["test", "test", "train", "train"]
    assert "1 volumes have slices of different folds" in told(store)
    assert len(made(TEXT + "fold: none\n", force=True)) == 5


def test_a_series_of_two_patients_is_left_out(made):
    for number in range(4):
        series(f"{'sick' if number % 2 else 'well'}/case{number}", number)
    series("well/case5", 5, range(2))
    series("well/case5", 5, range(2, 4), PatientID="P6")
    assert "different patients" in told(made(TEXT))


def test_a_copy_of_a_series_with_another_label_is_spoken_of(made, capsys):
    for number in range(4):
        series(f"{'sick' if number % 2 else 'well'}/case{number}", number)
    shutil.copytree("mr/well/case0", "mr/sick/copy")
    store = made(TEXT)
    assert labels(store) == ["sick", "sick", "sick", "well"]
    assert list(left(store)) == ["well/case0"]
    assert left(store)["well/case0"].endswith("which has another label")
    assert "1 volumes or slices are there twice with different labels" in capsys.readouterr().err


def test_copies_do_not_make_folders_look_alike(made):
    series("well/scan", 1)
    series("well/more", 2)
    series("sick/other", 3)
    shutil.copytree("mr/well/scan", "mr/sick/scan")
    store = made(TEXT)
    assert labels(store) == ["sick", "sick", "well"]
    assert "stand below" not in told(store)
    assert "twice with different labels" in told(store)


def test_a_copy_of_a_series_with_the_same_label_is_one_line(made):
    for number in range(4):
        series(f"{'sick' if number % 2 else 'well'}/case{number}", number)
    shutil.copytree("mr/well/case0", "mr/well/zcopy")
    store = made(TEXT)
    assert left(store) == {
        "well/zcopy": "is the same image as another file (equal SOPInstanceUID and pixels)"
    }
    assert "different labels" not in told(store)


def test_copies_of_some_slices_with_another_label_are_spoken_of(made):
    for number in range(4):
        series(f"{'sick' if number % 2 else 'well'}/case{number}", number)
    Path("mr/well/some").mkdir()
    for k in range(2):
        shutil.copy(f"mr/sick/case1/IM{k}.dcm", f"mr/well/some/IM{k}.dcm")
    store = made(TEXT)
    assert labels(store) == ["sick", "sick", "well", "well"]
    assert sorted(left(store)) == ["well/some/IM0.dcm", "well/some/IM1.dcm"]
    assert "2 volumes or slices are there twice with different labels" in told(store)


def test_the_table_may_name_the_copy_with_another_label(made):
    for number in range(3):
        series(f"case{number}", number)
    shutil.copytree("mr/case0", "mr/case9")
    rows = "file,label\ncase0,well\ncase1,sick\ncase2,well\ncase9,sick\n"
    store = made(TEXT + "table: labels.csv", rows)
    assert labels(store) == ["well", "sick", "well"]
    assert left(store)["case9"].endswith("which has another label")
    # The first one's row is missing: its copy takes its place, and is read from its own files.
    store = made(TEXT + "table: labels.csv", rows.replace("case0,well\n", ""))
    assert labels(store) == ["sick", "well", "sick"]


def test_folders_above_and_beside_series(made):
    """Everything that class folders of images have: wrapping, folds, segmentations, sites."""
    number = 0
    for fold in ("train", "test"):
        for label in ("sick", "well"):
            for case in range(2):
                number += 1
                series(f"set-master/{fold}/{label}/c{case}/images", number)
                series(f"set-master/{fold}/{label}/c{case}/masks", number + 100)
    store = made(TEXT)
    assert labels(store) == ["sick", "sick", "well", "well"] * 2
    assert store.folds.tolist() == ["test"] * 4 + ["train"] * 4
    assert "32 segmentations (masks …) beside images" in told(store)


def test_a_table_that_names_slices_is_told_so(made):
    for number in range(2):
        series(f"case{number}", number)
    lines = ["file,label", *(f"case{n}/IM{k}.dcm,{'ab'[n]}" for n in range(2) for k in range(4))]
    with pytest.raises(MedflError, match=r"8 rows name slices by their column `file`.*its folder"):
        made(TEXT + "table: labels.csv\n", "\n".join(lines))
    store = made(TEXT + "table: labels.csv\n", "file,label\ncase0,a\ncase1,b\n")
    assert labels(store) == ["a", "b"]


def test_a_localiser_is_no_volume_of_its_class(made):
    scout = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
    for number in range(4):
        series(f"{'ab'[number % 2]}/p{number}", number)
    series("a/p0", 9, range(20, 23), **scout)
    store = made(TEXT + "labels: {level: 1}")
    assert labels(store) == ["a", "a", "b", "b"]
    reason = "is of a localiser, as its ImageType says, and others are volumes"
    assert left(store) == dict.fromkeys([f"a/p0/IM{k}.dcm" for k in (20, 21, 22)], reason)


def test_localisers_alone_are_meant(made):
    for number in range(2):
        series(f"{'ab'[number]}/p", number, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    assert labels(made(TEXT + "labels: {level: 1}")) == ["a", "b"]
