"""`medfl datasets`: what there is, and what of it is on this disk."""

from __future__ import annotations

import json
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from medfl.cli import main
from medfl.datasets.base import Places
from medfl.datasets.overview import as_table, overview
from medfl.datasets.registry import get, names
from medfl.store import Sample, write_store
from medfl.store.raw import RawData


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


def entries(root):
    return {entry.name: entry for entry in overview(Places(root, root))}


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")


def test_an_empty_disk(root):
    found = entries(root)
    assert list(found) == names()
    made = {name for name, entry in found.items() if entry.raw == "generated"}
    assert made == {name for name in names() if get(name).synthetic}
    assert {entry.raw for name, entry in found.items() if name not in made} == {"absent"}
    assert found["fed-isic2019"].sites[0] == "BCN"
    assert found["chestmnist"].task == "multilabel"


def test_a_store_whose_description_lies_elsewhere_is_listed(root):
    info = get("phantom").info(RawData([], [], len, ""))
    samples = [Sample(f"s{i}", (info.classes[i % 5],), f"p{i}") for i in range(10)]
    for name in ("hospital", "braintumor"):
        write_store(root / "prepared" / name, info, samples, np.zeros((10, 1, 8, 8), "u1"))
    found = entries(root)
    assert list(found) == [*names(), "hospital"]
    own = found["hospital"]
    assert (own.raw, own.title, own.classes, own.task) == ("unlisted", info.title, 5, "multiclass")
    lines = as_table(list(found.values()), Places(root, root)).splitlines()
    [line] = [line for line in lines if line.startswith("hospital ")]
    # Pixels, and 128 bytes of npy's header.
    assert "described elsewhere; prepared: hospital 768 B" in line
    [line] = [line for line in lines if line.startswith("braintumor ")]
    assert "  raw files absent; prepared: braintumor 768 B" in line


def test_what_is_there_is_counted(root):
    for k in range(3):
        touch(root / "Brain_Tumor_MRI" / "Testing" / "notumor" / f"{k}.JPG")
    touch(root / "Brain_Tumor_MRI" / "cover.png")
    touch(root / "isic2019" / "ISIC_2019_Training_GroundTruth.csv")
    for k in range(10015):
        touch(root / "raw" / "ham10000" / "HAM10000_images_part_1" / f"ISIC_{k:07d}.jpg")
    touch(root / "medmnist" / "bloodmnist_64.npz")
    found = entries(root)
    assert (found["braintumor"].raw, found["braintumor"].raw_images) == ("partial", 3)
    assert (found["isic2019"].raw, found["isic2019"].raw_images) == ("partial", 0)
    assert found["ham10000"].raw == "complete"
    assert found["ham10000"].raw_path == str(root / "raw" / "ham10000")
    assert found["bloodmnist"].raw == "complete"
    assert found["pathmnist"].raw == "absent"


def test_zip_files_are_counted_or_the_problem_is_told(root):
    archive = root / "covid-ct" / "CT_COVID.zip"
    touch(archive)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("CT_COVID/1.png", b"1")
        file.writestr("CT_COVID/readme.txt", b"1")
    assert entries(root)["covidct"].raw_images == 1
    archive.write_bytes(b"broken")
    found = entries(root)
    assert found["covidct"].raw == "unreadable"
    assert "CT_COVID.zip is not a sound zip file" in found["covidct"].problem
    table = as_table(list(found.values()), Places(root, root))
    assert "covidct: " in table.splitlines()[-1]


def test_prepared_stores_by_size(root):
    info = get("braintumor").info(RawData([], [], len, ""))
    samples = [Sample(f"s{k}", (info.classes[k],), f"g{k}") for k in range(4)]
    for word, size in (("braintumor", 16), ("braintumor-8", 8), ("braintumor-x", 8)):
        images = np.zeros((4, 1, size, size), np.uint8)
        write_store(root / "prepared" / word, info, samples, images)
    prepared = entries(root)["braintumor"].prepared
    assert [store.path.rsplit("/", 1)[1] for store in prepared] == ["braintumor", "braintumor-8"]
    assert [store.bytes for store in prepared] == [128 + 4 * 256, 128 + 4 * 64]  # npy header


def test_a_wrong_description_is_a_problem_of_its_own_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong = tmp_path / "params/datasets/mine.yaml"
    wrong.parent.mkdir(parents=True)
    wrong.write_text("folders: x\n")
    found = entries(tmp_path)
    assert found["mine"].raw == "unreadable"
    assert "mine.yaml: unknown key `folders`" in found["mine"].problem
    assert found["ham10000"].raw == "absent"


def test_a_described_dataset(tmp_path, monkeypatch, capsys):
    """Two classes of three images each lie in data/x; a note beside them is none of them."""
    monkeypatch.chdir(tmp_path)
    described = tmp_path / "params/datasets/mine.yaml"
    described.parent.mkdir(parents=True)
    described.write_text("folder: x\nmodality: DX\nsize: 8\n")
    root = tmp_path / "data"
    before = entries(root)["mine"]
    assert (before.raw, before.raw_images, before.classes, before.problem) == (
        "absent",
        0,
        None,
        "",
    )
    random = np.random.default_rng(0)
    for label in ("ill", "well"):
        (root / "x" / label).mkdir(parents=True)
        for k in range(3):
            pixels = random.integers(0, 256, (9, 9), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "x" / label / f"{k}.png")
    touch(root / "x" / "notes.txt")
    found = entries(root)["mine"]
    assert (found.raw, found.raw_images, found.classes) == ("found", 6, None)
    assert found.raw_path == str(root / "x")
    assert main(["prepare", "mine"]) == 0
    found = entries(root)["mine"]
    assert (found.classes, found.prepared[0].images) == (2, 6)
    capsys.readouterr()
    assert main(["datasets"]) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if one.startswith("mine ")]
    assert line.split("  6 files; prepared: mine ")[0].split()[-3:] == ["2", "-", "-"]


def test_the_command(root, capsys):
    assert main(["datasets", "--data-root", str(root), "--work-root", str(root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.split("  ")[0].strip() in names()]) == len(names())
    assert str(root / "raw") in lines[-1]
    assert main(["datasets", "--json", "--data-root", str(root), "--work-root", str(root)]) == 0
    content = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in content] == names()
    assert {entry["name"]: entry["images"] for entry in content}["ham10000"] == 10015


def test_real_data(real_data, tmp_path):
    """Numbers of files counted with the shell; nothing is decoded, so it is quick."""
    started = time.process_time()
    found = {entry.name: entry for entry in overview(Places(real_data, tmp_path))}
    assert time.process_time() - started < 5
    assert found["ham10000"].raw_images == 10015
    assert found["chestxray14"].raw_images == 1000
    assert found["covidct"].raw_images == 192
    assert found["braintumor"].raw_images == 394
    assert found["pneumoniamnist"].raw == "complete"
