"""COVID-CT as published (zip files, `%` in names) and as copies have it."""

from __future__ import annotations

import json
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from medfl.datasets.prepare import prepare
from medfl.errors import MedflError
from medfl.store import Store

# file in the folder, name in tables and lists, patient, fold
COVID = [
    ("2020.01.24.919183-p27-132.png", "2020.01.24.919183-p27-132.png", "Patient 1", "train"),
    ("2020.02.10.20021584-p6-52_0.png", "2020.02.10.20021584-p6-52%0.png", "Patient 2", "train"),
    ("2020.02.10.20021584-p6-52_1.png", "2020.02.10.20021584-p6-52%1.png", "Patient 2", "train"),
    ("bmj.m606.full-p4-22_0.png", "bmj.m606.full-p4-22%0.png", "Patient 3 ", "test"),
]
NON_COVID = [
    ("0.jpg", "0.jpg", "crawled_patient_0", "train"),
    ("1210.png", "1210.png", "medpix_patient_9", "test"),
    ("1_0.jpg", "1%0.jpg", "crawled_patient_1", "val"),
    ("1_1.jpg", "1%1.jpg", "crawled_patient_1", "val"),
]


def covid(root, zipped=False, lists=True, tables=True):
    base = root / "COVID-CT"
    for name, rows in (("COVID", COVID), ("NonCOVID", NON_COVID)):
        folder = base / "Images-processed" / f"CT_{name}"
        folder.mkdir(parents=True)
        for k, (file, *_) in enumerate(rows):
            Image.new(("L", "RGB", "RGBA", "P")[k], (30, 20)).save(
                folder / file.replace("jpg", "png")
            )
            (folder / file.replace("jpg", "png")).rename(folder / file)
        if zipped:
            with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
                for file in sorted(folder.iterdir()):
                    archive.write(file, f"CT_{name}/{file.name}")
            shutil.rmtree(folder)
        split = base / "Data-split" / name
        split.mkdir(parents=True)
        for fold in ("train", "val", "test") if lists else ():
            names = [listed for _, listed, _, where in rows if where == fold]
            (split / f"{fold}CT_{name}.txt").write_text("".join(f"{one}\n" for one in names))
    if tables:
        lines = ["File name,Patient ID,Age,Gender,Location,,"]
        lines += [f'{name},{patient},41,M,"Wuhan, China",,' for _, name, patient, _ in COVID]
        (base / "COVID-CT-MetaInfo.csv").write_text("\n".join(lines))
        lines = [",image name,patient id"]
        lines += [f"{k},{name},{who}" for k, (_, name, who, _) in enumerate(NON_COVID)]
        (base / "NonCOVID-CT-MetaInfo.csv").write_text("\n".join(lines))
    return base


def prepared(tmp_path, **options):
    return Store.open(prepare("covidct-8", tmp_path, tmp_path / "work", **options))


def check(store):
    assert list(store.ids) == [f"COVID/{file}" for file, *_ in COVID] + [
        f"NonCOVID/{file}" for file, *_ in NON_COVID
    ]
    assert [store.info.classes[k] for k in store.labels] == ["COVID"] * 4 + ["NonCOVID"] * 4
    assert list(store.folds) == [fold for *_, fold in COVID + NON_COVID]
    patients = [who.strip() for *_, who, _ in COVID + NON_COVID]
    assert [group.split("/")[1] for group in store.groups] == patients
    assert store.images.shape == (8, 1, 8, 8)
    assert list(store.attributes["location"]) == ["Wuhan, China"] * 4 + [""] * 4


def test_folders(tmp_path):
    covid(tmp_path)
    check(prepared(tmp_path))


def test_zip_files_are_unpacked_below_the_work_root(tmp_path):
    base = covid(tmp_path, zipped=True)
    before = sorted(base.rglob("*"))
    check(prepared(tmp_path))
    assert sorted(base.rglob("*")) == before


def test_a_zip_file_that_means_harm(tmp_path):
    base = covid(tmp_path, zipped=True)
    with zipfile.ZipFile(base / "Images-processed" / "CT_COVID.zip", "a") as archive:
        archive.writestr("../../evil.png", b"x")
    with pytest.raises(MedflError, match=r"CT_COVID\.zip is refused: its member `\.\./\.\./evil"):
        prepared(tmp_path)
    assert not list(tmp_path.rglob("evil.png"))


def test_a_copy_with_percent_signs_more_nesting_and_other_suffixes(tmp_path):
    base = covid(tmp_path)
    for name, rows in (("COVID", COVID), ("NonCOVID", NON_COVID)):
        folder = base / "Images-processed" / f"CT_{name}"
        inner = base / f"ct_{name.lower()}" / f"CT_{name}"
        inner.mkdir(parents=True)
        for file, listed, *_ in rows:
            (folder / file).rename(inner / listed.replace(".jpg", ".JPEG"))
        folder.rmdir()
    check(prepared(tmp_path))


def test_a_patient_in_two_lists(tmp_path, capsys):
    base = covid(tmp_path)
    path = base / "Data-split" / "COVID" / "testCT_COVID.txt"
    moved = "2020.02.10.20021584-p6-52%1.png\n"
    path.write_text(path.read_text() + moved)
    path = path.with_name("trainCT_COVID.txt")
    path.write_text(path.read_text().replace(moved, ""))
    assert set(prepared(tmp_path).folds) == {""}  # 2 of 8 images: more than a tenth
    told = capsys.readouterr().err
    assert "LEAK in the published lists of COVID-CT: 1 groups (2 images) lie in two folds" in told


def test_an_image_in_two_lists(tmp_path):
    path = covid(tmp_path) / "Data-split" / "NonCOVID" / "testCT_NonCOVID.txt"
    path.write_text("1210.png\n1%0.jpg\n")
    with pytest.raises(MedflError, match=r"testCT_NonCOVID\.txt: 1%0\.jpg is in the list of val"):
        prepared(tmp_path)


def test_without_lists(tmp_path):
    covid(tmp_path, lists=False)
    assert set(prepared(tmp_path).folds) == {""}


def test_without_tables(tmp_path, capsys):
    covid(tmp_path, tables=False)
    with pytest.raises(MedflError, match=r"no COVID-CT-MetaInfo\.csv.*--allow-partial"):
        prepared(tmp_path)
    store = prepared(tmp_path, allow_partial=True)
    assert [group.split("/")[1] for group in store.groups] == [
        "2020.01.24.919183",
        "2020.02.10.20021584",
        "2020.02.10.20021584",
        "bmj.m606.full",
        "0",
        "1210",
        "1",
        "1",
    ]
    assert "patients of COVID are guessed" in capsys.readouterr().err


def test_broken_and_missing_images(tmp_path):
    folder = covid(tmp_path) / "Images-processed" / "CT_NonCOVID"
    (folder / "1210.png").write_bytes(b"")
    with pytest.raises(MedflError, match=r"1210\.png is not an image"):
        prepared(tmp_path)
    (folder / "0.jpg").unlink()
    with pytest.raises(MedflError, match=r"lists 4 images, of which 1 are missing .*is 0\.jpg"):
        prepared(tmp_path)
    store = prepared(tmp_path, allow_partial=True)
    record = json.loads((store.path / "prepare.json").read_text())
    assert (record["kept"], record["missing"]) == (6, 1)
    assert [one["file"] for one in record["excluded_files"]] == ["NonCOVID/1210.png"]


def test_an_empty_patient(tmp_path):
    path = covid(tmp_path) / "NonCOVID-CT-MetaInfo.csv"
    path.write_text(path.read_text().replace("medpix_patient_9", ""))
    with pytest.raises(MedflError, match=r"NonCOVID-CT-MetaInfo, line 3: `patient id` is empty"):
        prepared(tmp_path)


def test_real_sample(real_data, tmp_path):
    """Counts of files, list lines and patients taken with the shell and pandas."""
    store = Store.open(prepare("covidct-16", real_data, tmp_path, allow_partial=True))
    assert store.info.title == "COVID-CT (part: 192 of 746 images)"
    positive = store.labels == store.info.classes.index("COVID")
    assert (int(positive.sum()), int((~positive).sum())) == (98, 94)
    assert len(set(store.groups[positive])) == 35
    assert len(set(store.groups[~positive])) == 28
    folds = {
        (bool(p), str(f)): int(((positive == p) & (store.folds == f)).sum())
        for p in (True, False)
        for f in ("train", "test")
    }
    expected = {(True, "train"): 58, (True, "test"): 40, (False, "train"): 59, (False, "test"): 35}
    assert folds == expected
    assert np.ptp(store.images.reshape(192, -1), axis=1).min() > 50  # none came out blank
