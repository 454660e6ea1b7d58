"""A dataset of the catalog with other pixels or labels, under a name of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pictures import grey

from medfl import sources
from medfl.datasets.code import dataset_sha
from medfl.datasets.prepare import prepare
from medfl.datasets.registry import parse_dataset
from medfl.errors import MedflError
from medfl.store import Store

HEADER = "lesion_id,image_id,dx,dx_type,age,sex,localization,dataset"


@pytest.fixture
def ham(place, monkeypatch):
    """Four images in HAM10000's layout: grey 40, 80, 120, 160."""
    lines = [HEADER]
    for number, label in enumerate(("nv", "mel", "bkl", "df")):
        path = Path(f"raw/ham10000/HAM10000_images_part_1/ISIC_{number}.png")
        grey(path, 40 * (number + 1), (8, 16)).rename(path.with_suffix(".jpg"))
        lines.append(f"L{number},ISIC_{number},{label},histo,50,male,back,rosendahl")
    Path("raw/ham10000/HAM10000_metadata").write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("MEDFL_DATA", "raw")


def test_other_pixels_and_labels(ham, made):
    text = "base: ham10000\nsize: 8\npreprocess: {channels: 1, fit: pad, crop_borders: false}\n"
    text += "labels: {map: {mel: malignant, bkl: benign, nv: benign}, ignore: [df]}"
    store = made(text)
    assert store.info.classes == ("benign", "malignant")
    assert store.labels.tolist() == [0, 1, 0]
    # 8 × 16 pixels become 4 × 8, between margins of two rows.
    assert store.images[:, 0, :, 3].tolist()[0] == [0, 0, 40, 40, 40, 40, 0, 0]
    assert store.images.shape == (3, 1, 8, 8)
    assert store.info.citation.startswith("Tschandl")
    assert store.info.name == "mine"
    assert "mine" in store.info.title
    record = json.loads((store.path / "prepare.json").read_text())
    assert record["excluded_by_reason"] == {"has the label `df`, which is ignored": 1}
    assert record["settings"]["base"] == "ham10000"


def test_all_other_labels_may_be_one(ham, made):
    store = made("base: ham10000\nsize: 8\nlabels: {map: {mel: malignant, '*': benign}}")
    assert store.info.classes == ("benign", "malignant")
    assert store.labels.tolist() == [0, 1, 0, 0]


def test_it_follows_its_description_and_its_base(ham, made):
    made("base: ham10000\nsize: 8")
    plain = dataset_sha("mine")
    assert plain != dataset_sha("ham10000")
    own = Store.open(prepare("mine"))
    base = Store.open(prepare("ham10000-8"))
    assert own.info.images_sha256 == base.info.images_sha256
    made("base: ham10000\nsize: 8\npreprocess: {channels: 1}")
    assert dataset_sha("mine") != plain


def test_an_edit_of_the_bases_reader_makes_it_again(ham, made, monkeypatch):
    made("base: ham10000\nsize: 8")
    read = {kind.__module__ for kind in parse_dataset("mine").dataset.readers()}
    assert read == {"medfl.datasets.catalog.ham10000", "medfl.datasets.described.variant"}
    before = dataset_sha("mine")
    edited = Path("ham10000.py")
    edited.write_text(sources.file_of("medfl.datasets.catalog.ham10000").read_text() + "# edited\n")
    found = sources.file_of
    monkeypatch.setattr(
        sources, "file_of", lambda name: edited if name.endswith("ham10000") else found(name)
    )
    sources.forget()
    assert dataset_sha("mine") != before
    sources.forget()


def test_sizes_of_the_base_hold(place):
    Path("params/datasets/mine.yaml").write_text("base: pneumoniamnist\nsize: 32")
    with pytest.raises(MedflError, match="published at 28, 64, 128, 224 pixels, not at 32"):
        prepare("mine")


def test_a_base_that_is_described_itself_is_refused(place):
    folder = Path("params/datasets")
    (folder / "one.yaml").write_text("base: two")
    (folder / "two.yaml").write_text("base: one")
    (folder / "own.yaml").write_text("folder: raw")
    (folder / "three.yaml").write_text("base: own")
    (folder / "four.yaml").write_text("base: params/datasets/own.yaml")
    (folder / "five.yaml").write_text("base: five")
    for name, base in (("one", "two"), ("three", "own"), ("four", "params/datasets/own.yaml")):
        with pytest.raises(MedflError, match=rf"{name}\.yaml: `base: {base}` is a description"):
            prepare(name)
    with pytest.raises(MedflError, match=r"five\.yaml: `base: five` is a description itself"):
        prepare("five")
    (folder / "six.yaml").write_text("base: nothing-like-it")
    with pytest.raises(MedflError, match=r"six\.yaml: unknown dataset `nothing-like-it`"):
        prepare("six")
