"""NIH ChestX-ray14 in its own layout and in that of copies."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from medfl.datasets.prepare import prepare
from medfl.errors import MedflError
from medfl.store import Store

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
ROWS = [
    ("00000001_000", "Cardiomegaly", 0, 1, "57", "M", "PA"),
    ("00000001_001", "Emphysema|Cardiomegaly", 1, 1, "058Y", "M", "AP"),
    ("00000002_000", "No Finding", 0, 2, "80", "F", "PA"),
    ("00000003_000", "Pleural_Thickening", 0, 3, "75", "F", "PA"),
    ("00000004_000", "Hernia|Infiltration", 0, 4, "82", "M", "AP"),
]


def chest(
    root, table="Data_Entry_2017_v2020.csv", folder="images_001/images", rows=ROWS, header=HEADER
):
    base = root / "chestxray14"
    (base / folder).mkdir(parents=True)
    lines = [header]
    for k, (name, *cells) in enumerate(rows):
        Image.new("L", (20, 20), 40 * k).save(base / folder / f"{name}.png")
        lines.append(",".join(map(str, [f"{name}.png", *cells, 2682, 2749, 0.143, 0.143])))
    (base / table).write_text("\n".join(lines) + "\n")
    return base


def lists(base, test, suffix=""):
    names = [f"{row[0]}.png" for row in ROWS]
    (base / f"test_list{suffix}.txt").write_text("\n".join(test))
    (base / f"train_val_list{suffix}.txt").write_text(
        "\r\n".join(name for name in names if name not in test)
    )


def prepared(tmp_path, **options):
    return Store.open(prepare("chestxray14-8", tmp_path, tmp_path / "work", **options))


def labels(store):
    return [[store.info.classes[k] for k in np.flatnonzero(row)] for row in store.labels]


def test_the_published_layout(tmp_path):
    base = chest(tmp_path)
    rgba = np.full((20, 20, 4), 255, np.uint8)
    rgba[..., :3] = 160
    Image.fromarray(rgba).save(base / "images_001" / "images" / "00000004_000.png")
    lists(base, ["00000003_000.png"])
    store = prepared(tmp_path)
    assert store.images.shape == (5, 1, 8, 8)
    assert [int(image.mean().round()) for image in store.images] == [0, 40, 80, 120, 160]
    assert labels(store) == [
        ["Cardiomegaly"],
        ["Cardiomegaly", "Emphysema"],
        [],
        ["Pleural_Thickening"],
        ["Infiltration", "Hernia"],
    ]
    assert list(store.groups) == ["1", "1", "2", "3", "4"]
    assert list(store.folds) == ["train", "train", "train", "test", "train"]
    assert list(store.attributes["view"]) == ["PA", "AP", "PA", "PA", "AP"]
    assert list(store.attributes["age"]) == ["57", "58", "80", "75", "82"]
    assert list(store.attributes["follow_up"]) == ["0", "1", "0", "0", "0"]
    assert set(store.sites) == {""}


def test_a_flat_copy_of_the_first_release(tmp_path):
    """Another table's name, a closing comma, padded patients, all images in one folder."""
    rows = [(name, found, n, f"{patient:08d}", *rest) for name, found, n, patient, *rest in ROWS]
    base = chest(tmp_path, "Data_Entry_2017.csv", "archive/IMAGES", rows, HEADER + ",")
    lists(base, ["00000003_000.png"], "_NIH")
    store = prepared(tmp_path)
    assert list(store.groups) == ["1", "1", "2", "3", "4"]
    assert list(store.folds).count("test") == 1


def test_without_lists_there_are_no_folds(tmp_path):
    chest(tmp_path)
    store = prepared(tmp_path)
    assert set(store.folds) == {""}
    assert "No official folds" in store.info.notes


def test_lists_that_cut_a_patient(tmp_path, capsys):
    lists(chest(tmp_path), ["00000001_001.png"])
    assert set(prepared(tmp_path).folds) == {""}
    assert (
        "LEAK in the official lists of ChestX-ray14: 1 groups (2 images)" in capsys.readouterr().err
    )


def test_a_part(tmp_path, capsys):
    base = chest(tmp_path)
    (base / "images_001" / "images" / "00000002_000.png").unlink()
    with pytest.raises(
        MedflError, match=r"1 are missing \(the first is 00000002_000\).*--allow-pa"
    ):
        prepared(tmp_path)
    store = prepared(tmp_path, allow_partial=True)
    assert store.info.title == "NIH ChestX-ray14 (part: 4 of 5 images)"
    assert "PARTIAL: 1 of 5 images" in capsys.readouterr().err


def test_the_published_sample(tmp_path):
    chest(tmp_path, "sample_labels.csv", "images")
    with pytest.raises(MedflError, match="only in part, the sample of 5 images"):
        prepared(tmp_path)
    store = prepared(tmp_path, allow_partial=True)
    assert "(part: 5 of 112,120 images)" in store.info.title


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("Cardiomegaly,", "Cardiomegalia,", r"line 2: the finding `Cardiomegalia` is not one of"),
        ("No Finding,", ",", r"line 4: the finding `` is not one of"),
        ("Patient ID", "PatientNo", "lacks the column `Patient ID`"),
        ("00000003_000.png", "00000002_000.png", "line 5: its `Image Index` stands"),
        (",0,2,80", ",0,,80", "line 4: `Patient ID` is empty"),
    ],
)
def test_bad_tables(tmp_path, old, new, match):
    table = chest(tmp_path) / "Data_Entry_2017_v2020.csv"
    text = table.read_text()
    assert old in text
    table.write_text(text.replace(old, new, 1))
    with pytest.raises(MedflError, match=match):
        prepared(tmp_path)


def test_a_list_that_contradicts_the_other(tmp_path):
    base = chest(tmp_path)
    lists(base, ["00000003_000.png"])
    (base / "test_list.txt").write_text("00000003_000.png\n00000002_000.png\n")
    with pytest.raises(MedflError, match=r"test_list\.txt: 00000002_000\.png is in the official l"):
        prepared(tmp_path)


def test_broken_images(tmp_path):
    base = chest(tmp_path)
    image = base / "images_001" / "images" / "00000002_000.png"
    image.write_bytes(b"")
    with pytest.raises(MedflError, match=r"00000002_000\.png"):
        prepared(tmp_path)
    store = prepared(tmp_path, allow_partial=True)
    record = json.loads((store.path / "prepare.json").read_text())
    assert [one["file"] for one in record["excluded_files"]] == ["00000002_000"]


def test_real_sample(real_data, tmp_path):
    """Counts taken from the table and the folder with pandas."""
    path = prepare("chestxray14-16", real_data, tmp_path, allow_partial=True)
    store = Store.open(path)
    assert store.info.title == "NIH ChestX-ray14 (part: 1,000 of 112,120 images)"
    assert len(set(store.groups)) == 264
    counts = dict(zip(store.info.classes, store.labels.sum(axis=0).tolist(), strict=True))
    assert counts == {
        "Atelectasis": 95,
        "Cardiomegaly": 83,
        "Effusion": 170,
        "Infiltration": 162,
        "Mass": 35,
        "Nodule": 39,
        "Pneumonia": 11,
        "Pneumothorax": 40,
        "Consolidation": 42,
        "Edema": 31,
        "Emphysema": 37,
        "Fibrosis": 32,
        "Pleural_Thickening": 29,
        "Hernia": 9,
    }
    assert int((store.labels.sum(axis=1) == 0).sum()) == 499
    views = store.attributes["view"]
    assert (int((views == "PA").sum()), int((views == "AP").sum())) == (637, 363)
