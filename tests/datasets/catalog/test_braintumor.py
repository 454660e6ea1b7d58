"""Brain Tumor MRI as its copies spell it, and what its duplicates do to the folds."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from medfl.datasets.catalog.braintumor import BRAINTUMOR
from medfl.datasets.prepare import prepare
from medfl.datasets.registry import DATASETS
from medfl.errors import MedflError
from medfl.store import Store

SARTAJ = ("glioma_tumor", "meningioma_tumor", "no_tumor", "pituitary_tumor")
NICKPARVAR = ("glioma", "meningioma", "notumor", "pituitary")


def picture(seed):
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 6), dtype=np.uint8))
    return small.resize((96, 80), Image.Resampling.BICUBIC)


def brain(root, names=SARTAJ, folds=("Training", "Testing"), each=3, suffix="png"):
    """``each`` different pictures a class and fold."""
    base = root / "brain-tumor-mri"
    seed = 0
    for fold in folds:
        for name in names:
            (base / fold / name).mkdir(parents=True)
            for k in range(each):
                picture(seed).save(base / fold / name / f"image({k}).{suffix}", "PNG")
                seed += 1
    return base


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    """The published copies hold 3,264 images or more; ours 24."""
    entry = replace(BRAINTUMOR, source_images=24)
    monkeypatch.setattr(DATASETS, "load", lambda name: entry)


def prepared(tmp_path, **options):
    return Store.open(prepare("braintumor-8", tmp_path, tmp_path / "work", **options))


@pytest.mark.parametrize(
    ("names", "folds", "suffix"),
    [
        (SARTAJ, ("Training", "Testing"), "jpg"),
        (NICKPARVAR, ("archive/Training", "archive/Testing"), "JPG"),
        (("Glioma Tumor", "Meningioma", "No-Tumour", "PITUITARY"), ("train", "test"), "jpeg"),
    ],
)
def test_spellings(tmp_path, names, folds, suffix):
    brain(tmp_path, names, folds, suffix=suffix)
    store = prepared(tmp_path)
    assert store.images.shape == (24, 1, 8, 8)
    assert np.bincount(store.labels).tolist() == [6, 6, 6, 6]
    assert store.ids[0] == f"test/glioma/image(0).{suffix}"
    assert list(store.folds).count("test") == 12
    assert len(set(store.groups)) == 24
    assert store.info.classes == ("glioma", "meningioma", "no_tumor", "pituitary")


def test_duplicates_within_a_fold_are_one_group(tmp_path, capsys):
    base = brain(tmp_path)
    folder = base / "Training" / "glioma_tumor"
    picture(0).convert("RGB").save(folder / "exact.png")
    picture(0).resize((60, 50)).save(folder / "near.jpg", quality=70)
    store = prepared(tmp_path)
    same = store.groups[list(store.ids).index("train/glioma/image(0).png")]
    rows = [name for name, group in zip(store.ids, store.groups, strict=True) if group == same]
    assert rows == ["train/glioma/exact.png", "train/glioma/image(0).png", "train/glioma/near.jpg"]
    assert set(store.folds) == {"train", "test"}
    told = capsys.readouterr().err
    assert "1 of 26 images equal an earlier one pixel by pixel and 1 more nearly do" in told
    assert "24 groups; 0 of them lie in both Training and Testing; 0 images share" in told


def test_a_duplicate_between_training_and_testing_goes_to_the_test(tmp_path, capsys):
    base = brain(tmp_path)
    picture(0).save(base / "Testing" / "meningioma_tumor" / "copy.png")  # and under another label
    store = prepared(tmp_path)
    fold = dict(zip(store.ids, store.folds, strict=True))
    assert fold["train/glioma/image(0).png"] == fold["test/meningioma/copy.png"] == "test"
    assert list(store.folds).count("train") == 11
    told = capsys.readouterr().err
    assert "1 of them lie in both Training and Testing; 2 images share a group with another" in told
    assert "LEAK in the folders Training and Testing: 1 groups (2 images)" in told
    record = json.loads((store.path / "prepare.json").read_text())
    assert len(record["warnings"]) == 2
    assert "DUPLICATES" in store.info.notes


def test_many_duplicates_between_the_folds_leave_no_folds(tmp_path):
    base = brain(tmp_path)
    for k in range(3):
        picture(k).save(base / "Testing" / "glioma_tumor" / f"copy{k}.png")
    assert set(prepared(tmp_path).folds) == {""}  # 6 of 27 images


def test_one_folder_alone_is_a_part(tmp_path):
    brain(tmp_path, folds=("Testing",))
    with pytest.raises(
        MedflError, match=r"no images in Training, 12 images in all.*--allow-partia"
    ):
        prepared(tmp_path)
    store = prepared(tmp_path, allow_partial=True)
    assert store.info.title == "Brain Tumor MRI (part: 12 of 24 images)"
    assert set(store.folds) == {""}


def test_a_copy_without_folds(tmp_path):
    brain(tmp_path, NICKPARVAR, ("all",), each=6)
    store = prepared(tmp_path)
    assert set(store.folds) == {""}
    assert store.ids[0] == "all/glioma/image(0).png"


def test_a_class_that_is_missing(tmp_path):
    brain(tmp_path, SARTAJ[:3], each=4)
    with pytest.raises(MedflError, match="no images of pituitary"):
        prepared(tmp_path)


def test_images_elsewhere_and_dangling_links_are_told(tmp_path):
    base = brain(tmp_path)
    (base / "Testing" / "loop").symlink_to(base)
    picture(99).save(base / "Testing" / "schwannoma.png")
    (base / "Testing" / "no_tumor" / "gone.jpg").symlink_to(tmp_path / "nowhere")
    with pytest.raises(MedflError, match=r"2 files \(the first is Testing/schwannoma\.png\)"):
        prepared(tmp_path)
    store = prepared(tmp_path, allow_partial=True)
    record = json.loads((store.path / "prepare.json").read_text())
    assert [one["file"] for one in record["excluded_files"]] == [
        "Testing/schwannoma.png",
        "Testing/loop",
        "Testing/no_tumor/gone.jpg",
    ]
    assert len(store) == 24


def test_hidden_files_and_all_others_are_listed(tmp_path):
    base = brain(tmp_path)
    for name in (".DS_Store", "Testing/.hidden.png", "notes.txt", "__MACOSX/._1.png"):
        (base / name).parent.mkdir(exist_ok=True)
        (base / name).write_bytes(b"x")
    record = json.loads((prepared(tmp_path).path / "prepare.json").read_text())
    assert {one["file"]: one["reason"] for one in record["excluded_files"]} == {
        ".DS_Store": "is a hidden file",
        "Testing/.hidden.png": "is a hidden file",
        "__MACOSX": "is what macOS adds to archives, and is not entered",
        "notes.txt": "is no image and no table of the published set",
    }


def test_broken_images(tmp_path):
    base = brain(tmp_path)
    (base / "Testing" / "no_tumor" / "image(1).png").write_bytes(b"")
    with pytest.raises(MedflError, match=r"no_tumor/image\(1\)\.png is not an image"):
        prepared(tmp_path)
    store = prepared(tmp_path, allow_partial=True)
    assert len(store) == 23


def test_nothing_there(tmp_path):
    base = tmp_path / "Brain_Tumor_MRI"
    base.mkdir()
    with pytest.raises(MedflError, match="no images in folders Training and Testing"):
        prepared(tmp_path)
    (base / "archive.zip").write_bytes(b"")
    with pytest.raises(MedflError, match=r"only archive\.zip, which is to be unpacked"):
        prepared(tmp_path)


def test_real_sample(real_data, tmp_path):
    """Counts of the published Testing folder, taken with the shell."""
    store = Store.open(prepare("braintumor-16", real_data, tmp_path, allow_partial=True))
    counts = dict(zip(store.info.classes, np.bincount(store.labels).tolist(), strict=True))
    assert counts == {"glioma": 100, "meningioma": 115, "no_tumor": 105, "pituitary": 74}
    assert set(store.folds) == {""}
    assert len(set(store.groups)) < len(store)
