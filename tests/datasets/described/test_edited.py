"""An edit of a description or its table makes the store again, by hand and under Snakemake."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from pictures import grey

from medfl.datasets.base import Places
from medfl.datasets.edited import stamp
from medfl.datasets.place import store_path
from medfl.datasets.prepare import prepare
from medfl.datasets.registry import parse_dataset
from medfl.errors import MedflError
from medfl.store import PREPARATION, Store

TABLE = Path("data/raw/xray/labels.csv")
PLACES = Places(Path("data"), Path("data"))


@pytest.fixture
def in_data_root(place):
    """Images and their table in a folder of the data root, prepared."""
    for number in range(3):
        grey(f"data/raw/xray/i{number}.png", 50 * number)
    TABLE.write_text("file,label\ni0,a\ni1,b\ni2,b\n")
    Path("params/datasets/mine.yaml").write_text("folder: xray\ntable: labels.csv\nsize: 8\n")
    assert labels(prepare("mine")) == [0, 1, 1]


def labels(path: Path) -> list[int]:
    return Store.open(path).labels.tolist()


def edit() -> None:
    TABLE.write_text("file,label\ni0,a\ni1,b\ni2,a\n")


def stamped() -> Path:
    file = stamp(store_path("mine"), parse_dataset("mine").dataset, PLACES, Path("stamp"))
    assert file is not None
    return file


def is_newer(file: Path) -> bool:
    """Than all of the store, as Snakemake asks of a rule's input."""
    files = [path for path in store_path("mine").iterdir() if path.is_file()]
    return all(file.stat().st_mtime_ns > path.stat().st_mtime_ns for path in files)


@pytest.mark.usefixtures("in_data_root")
def test_a_table_in_the_data_root_is_part_of_the_description():
    edit()
    assert labels(prepare("mine")) == [0, 1, 0]


@pytest.mark.usefixtures("in_data_root")
@pytest.mark.parametrize("record", ["[" * 100_000, "[]", '{"settings": []}', "{", '"a"'])
def test_a_store_whose_record_is_damaged_is_made_again(record):
    """Nobody knows then which description it was made by."""
    (store_path("mine") / PREPARATION).write_text(record)
    assert is_newer(stamped())
    assert labels(prepare("mine")) == [0, 1, 1]
    assert not is_newer(stamped())


@pytest.mark.usefixtures("in_data_root")
def test_a_store_stands_where_the_images_and_their_table_are_not():
    shutil.rmtree("data/raw/xray")
    assert labels(prepare("mine")) == [0, 1, 1]
    with Path("params/datasets/mine.yaml").open("a") as file:
        file.write("preprocess: {channels: 1}\n")
    with pytest.raises(MedflError, match="the folder that `folder` names is not there"):
        prepare("mine")
    assert labels(store_path("mine")) == [0, 1, 1]


@pytest.mark.usefixtures("in_data_root")
def test_the_stamp_is_newer_than_a_store_only_while_the_description_differs():
    assert not is_newer(stamped())
    edit()
    first = stamped().read_text()
    assert is_newer(stamped())
    # Snakemake takes an input whose bytes are as they were for unchanged, whatever its time.
    assert stamped().read_text() != first
    prepare("mine")
    assert not is_newer(stamped())
    shutil.rmtree("data/raw/xray")
    assert not is_newer(stamped())


@pytest.mark.usefixtures("in_data_root")
def test_a_copied_folder_whose_times_are_mixed_up_is_not_made_again():
    now = store_path("mine").stat().st_mtime + 100
    for path in (TABLE, Path("params/datasets/mine.yaml")):
        os.utime(path, (now, now))
    assert not is_newer(stamped())


def test_the_catalog_has_no_stamp(place):
    assert stamp(store_path("phantom"), parse_dataset("phantom").dataset, PLACES, place) is None
