"""What can be wrong in a description is one clear sentence, before or while data are read."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

import pytest
from pictures import grey

from medfl.datasets.described.schema import Description
from medfl.datasets.registry import get, names, parse_dataset
from medfl.errors import MedflError
from medfl.grid import load_grid
from medfl.pipeline import launch


@pytest.fixture(autouse=True)
def images(place):
    for label in ("sick", "well"):
        for number in range(2):
            grey(f"xray/{label}/{number}.png", 100, (8, 8))


HEAD = "folder: ../../xray\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("folders: xray", "unknown key `folders`; did you mean `folder`?"),
        (HEAD + "labels: {sepparator: ','}", "`labels.sepparator`; did you mean `separator`?"),
        (HEAD + "labels: {form: table}", "unknown key `labels.form`; did you mean `from`?"),
        (HEAD + "labels: {mapp: {}}", "did you mean `map`?"),
        (HEAD + "columns: {lable: x}", "did you mean `label`?"),
        (HEAD + "columns: {file: {}}", "names no column"),
        (HEAD + "columns: {label: []}", "names no column"),
        (HEAD + "columns: {attributes: [age, id]}", "samples.csv has a column `id` of its own"),
        ("folder: '~nobody-here/x'", "no such user's home"),
        (HEAD + "modalities: {a: '{id}.png', b: '{id}.png'}", "`a` and `b` are the same files"),
        (HEAD + "modalities: {t1: {file: 'a'}}", "did you mean `files`?"),
        (HEAD + "modalities: {t1: 'a.png'}", "write {id} once"),
        (HEAD + "labels: {classes: [yes, no]}", "put it in quotes"),
        (HEAD + "labels: {classes: [a, a]}", "stands there twice"),
        (HEAD + "labels: {from: dicom}", "say which `attribute`"),
        (HEAD + "patient: {pattern: 'p[0-'}", "not a regular expression"),
        (HEAD + "patient: {pattern: 'p[0-9]+'}", "put (round brackets) around"),
        (HEAD + "patient: name", "say by which `pattern`"),
        (HEAD + "preprocess: {window: lung}", "preprocess: unknown key `window`; did you mean"),
        (HEAD + "frame: last", "mine.yaml: `frame`: write first, middle or a number from 0 (got"),
        (HEAD + "frame: -1", "write first, middle or a number from 0 (got -1)"),
        (HEAD + "frame: true", "write first, middle or a number from 0 (got True)"),
        (HEAD + "modality: cct", "unknown modality `cct`; did you mean `ct`?"),
        (HEAD + "format: jpeg", "`format`"),
        (HEAD + "size: 4", "`size`"),
        (HEAD + "base: phantom", "`folder` (and `table`), or `base`, or `class`"),
        (HEAD + "name: mine-64", "ends like a size"),
        (HEAD + "name: my hospital", "`name`"),
        ("title: only", "say where the data are"),
        ("base: phantom\nsite: folder", "`base` brings its own `site`"),
        ("base: phantm", "unknown dataset `phantm`; did you mean `phantom`?"),
        ("- folder", "must hold keys such as"),
        (HEAD + "folder: again", "line 2, column 1: a key stands there a second time"),
    ],
)
def test_a_description_is_checked_when_it_is_named(place, text, message):
    Path("params/datasets/mine.yaml").write_text(text)
    with pytest.raises(MedflError, match=r"mine\.yaml") as error:
        get("mine")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "table", "message"),
    [
        (
            "folder: nowhere",
            "",
            "`folder` names is not there: looked at params/datasets/…",
        ),
        (
            HEAD + "table: labels.csv",
            "",
            "`table` names is not there: looked at params/datasets/labels.csv",
        ),
        (HEAD + "files: '*.dcm'", "", "holds no image, DICOM, NIfTI or npz file that matches"),
        (HEAD + "format: nifti", "", "holds no nifti (4 other files)"),
        (HEAD + "labels: {level: 2}", "", "no sample is left of 4 (4: lies in no folder"),
        (HEAD + "labels: {from: table}", "", "in no table"),
        (HEAD + "labels: {attribute: Modality}", "", "is no DICOM file"),
        (HEAD + "labels: {attribute: PatientName}", "", "can identify a person"),
        (HEAD + "patient: table", "", "has no such column"),
        (
            HEAD + "labels: {classes: [sik, well]}",
            "",
            "`sick`, which is not there; did you mean `sik`",
        ),
        (HEAD + "labels: {map: {well: sick}}", "", "all 4 samples have the label `sick`"),
        (
            HEAD + "labels: {classes: [sick], ignore: [well]}",
            "",
            "`sick` is the only class; at least two are needed",
        ),
        (HEAD + "labels: {separator: ',', task: multiclass}", "", "leave `labels.task` out"),
        (HEAD + "table: labels.csv", "file,lable\nsick/0.png,a\n", "lacks the column `label`"),
        (HEAD + "table: labels.csv", "file,label\n0.png,a\n", "2 files below"),
        (HEAD + "table: labels.csv", "file,label\nsick/0.png,a\nsick/0,b\n", "in line 2 already"),
        (HEAD + "table: labels.csv", "file,label\nx.png,a\n", "none of the files that its column"),
        (
            HEAD + "table: labels.csv\ncolumns: {label: [a, b]}",
            "file,a,b\nsick/0.png,1,maybe\n",
            "line 2: `b` holds `maybe`, not 0 or 1",
        ),
        (
            HEAD + "table: labels.csv",
            "file,label,fold\nsick/0.png,a,control\n",
            "line 2: a fold there is not called train, val or test, nor like them",
        ),
        (
            HEAD + "table: labels.csv\ncolumns: {attributes: [age]}",
            "file,label\nsick/0.png,a\n",
            "lacks the column `age`",
        ),
        (HEAD + "modalities: {a: '**/{id}.png', b: '{id}.jpg'}", "", "two files"),
        (HEAD + "modalities: {a: 'sick/{id}.jpg'}", "", "fits any of"),
    ],
)
def test_what_does_not_fit_the_data_is_said(made, text, table, message):
    with pytest.raises(MedflError) as error:
        made(text, table)
    assert message in str(error.value)


def test_a_name_is_found_in_one_place_only(place, monkeypatch):
    Path("params/datasets/phantom.yaml").write_text(HEAD)
    with pytest.raises(MedflError, match="`phantom` is a dataset of the catalog"):
        get("phantom")
    Path("params/datasets/phantom.yaml").unlink()
    Path("more").mkdir()
    Path("more/one.yaml").write_text("folder: ../xray\nname: mine")
    with pytest.raises(MedflError, match="unknown dataset `mine`"):
        get("mine")
    monkeypatch.setenv("MEDFL_DATASETS", "more")
    assert get("mine").name == "mine"
    assert "mine" in names()
    with pytest.raises(MedflError, match="did you mean `mine`"):
        get("mina")
    Path("params/datasets/mine.yaml").write_text(HEAD)
    with pytest.raises(MedflError, match="both describe a dataset `mine`"):
        get("mine")
    assert get("phantom").synthetic  # the mistake in another file does not matter


def test_a_grid_names_datasets_and_not_files(place):
    Path("params/datasets/mine.yaml").write_text(HEAD)
    grid = {
        "datasets": ["mine-32"],
        "partitions": ["iid"],
        "arms": ["fedavg"],
        "seeds": [0],
        "arms_file": None,
        "arm_settings": {"fedavg": {"algorithm": "fedavg"}},
    }
    assert load_grid(grid).datasets == ["mine-32"]
    with pytest.raises(MedflError, match=r"write `mine` for params/datasets/mine\.yaml"):
        load_grid({**grid, "datasets": ["params/datasets/mine.yaml"]})


def test_every_key_is_described_or_has_a_plain_name():
    """The how-to lists the keys; each has a default."""
    assert all(not field.is_required() for field in Description.model_fields.values())
    assert parse_dataset("phantom").word == "phantom"


def test_the_launcher_names_a_description_by_its_path(place, monkeypatch):
    Path("far").mkdir()
    Path("far/clinic.yaml").write_text("folder: ../xray")
    monkeypatch.setenv("MEDFL_DATASETS", "elsewhere")
    options = Namespace(dataset=["far/clinic.yaml", "phantom-64"])
    known = launch._name_described(options)
    assert options.dataset == ["clinic", "phantom-64"]
    assert known.split(os.pathsep) == ["elsewhere", str(place / "far" / "clinic.yaml")]
    assert get("clinic").name == "clinic"  # as the jobs will find it
