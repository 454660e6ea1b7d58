"""One's own class: what it yields becomes a store, what it splits becomes the split."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from pictures import grey

import medfl
from medfl.cli import main
from medfl.datasets.described.custom import CustomMedicalDataset, CustomSample
from medfl.errors import MedflError
from medfl.loader import MedicalDataLoader

PLAIN = {"intensity": "full", "channels": 1}


def flat(value: int) -> np.ndarray:
    return np.full((8, 8), value, np.uint8)


class Arrays(CustomMedicalDataset):
    """Twelve patients with two images each at three sites."""

    size = 8
    preprocess = PLAIN

    def __init__(self, patients: int = 12) -> None:
        self.patients = patients

    def load_data(self):
        for number in range(self.patients):
            for image in range(2):
                yield {
                    "image": flat(10 * number + image),
                    "label": "odd" if number % 2 else "even",
                    "patient": f"Doe {number}",
                    "site": f"site {number % 3}",
                    "attributes": {"age": 50 + number},
                }

    def create_federated_splits(self, store, num_clients, partition, seed):
        if partition != "custom":
            return None
        age = store.attributes["age"].astype(int) - 50
        folds = np.array(["train", "train", "val", "test"])[(age // 3) % 4]
        return age % 3, folds


def test_the_class_is_public():
    assert medfl.CustomMedicalDataset is CustomMedicalDataset
    assert medfl.CustomSample is CustomSample


def test_arrays_become_a_store(place):
    store = MedicalDataLoader(Arrays()).prepare()
    assert store.path == Path("data/prepared/arrays")
    assert store.images[:, 0, 0, 0].tolist() == [10 * n + i for n in range(12) for i in range(2)]
    assert store.info.classes == ("even", "odd")
    assert store.labels.tolist() == [n % 2 for n in range(12) for _ in range(2)]
    assert [group.split("-")[0] for group in store.groups[:3]] == ["p000001", "p000001", "p000002"]
    assert store.attributes["age"].tolist()[-1] == "61"
    assert "Doe" not in (store.path / "samples.csv").read_text()


def test_attributes_that_identify_people_are_refused(place):
    class Dated(Arrays):
        def load_data(self):
            for one in super().load_data():
                yield {**one, "attributes": {"born": "1961-03-07"}}

    with pytest.raises(MedflError, match="attributes: `born` holds a date"):
        MedicalDataLoader(Dated()).prepare()


def test_official_folds_are_understood_and_checked(place):
    class Official(Arrays):
        words = ("Training", "TRAIN", "dev", "test set")
        each = 2

        def load_data(self):
            for number, one in enumerate(super().load_data()):
                yield {**one, "fold": self.words[number // self.each % len(self.words)]}

    store = MedicalDataLoader(Official()).prepare()
    assert store.folds.tolist() == (["train"] * 4 + ["val"] * 2 + ["test"] * 2) * 3

    class Cut(Official):
        words = ("train", "test")
        each = 1

    store = MedicalDataLoader(Cut()).prepare()
    assert set(store.folds.tolist()) == {""}
    warnings = json.loads((store.path / "prepare.json").read_text())["warnings"]
    assert any("LEAK in the folds of Cut" in line for line in warnings)

    class Odd(Official):
        words = ("train", "x", "x", "x")

    with pytest.raises(MedflError, match=r"Odd\.load_data, sample 2: a fold there is not called"):
        MedicalDataLoader(Odd()).prepare()


def test_its_own_split_is_used(place):
    loader = MedicalDataLoader(Arrays())
    split = loader.create_federated_splits(None, "custom")
    assert split.num_clients == 3
    # Patients 0, 3, 6 and 9 are client 0's: train, train, val, test.
    assert split.indices(0, "train").tolist() == [0, 1, 6, 7]
    assert split.indices(0, "val").tolist() == [12, 13]
    assert split.indices(0, "test").tolist() == [18, 19]
    other = loader.create_federated_splits(2, "iid")
    assert other.num_clients == 2  # left to medfl


def test_other_datasets_have_no_custom_partition(place):
    class Plain(Arrays):
        create_federated_splits = CustomMedicalDataset.create_federated_splits

    with pytest.raises(MedflError, match="plain has none: choose another"):
        MedicalDataLoader(Plain()).create_federated_splits(None, "custom")


def test_files_functions_and_modalities(place, monkeypatch):
    class Mixed(CustomMedicalDataset):
        size = 8
        preprocess = PLAIN
        task = "multilabel"
        fusion = "late"

        def load_data(self):
            first = {"a": grey("raw/one.png", 7, (8, 8)).relative_to("raw"), "b": lambda: flat(9)}
            return [
                CustomSample(first, ["x", "y"], patient=1),
                CustomSample({"b": flat(3), "a": flat(1)}, [], patient=2),
            ]

    monkeypatch.setenv("MEDFL_DATA", "raw")
    store = MedicalDataLoader(Mixed()).prepare()
    assert store.images[:, :, 0, 0].tolist() == [[7, 9], [1, 3]]
    assert store.labels.tolist() == [[1, 1], [0, 0]]
    assert store.info.branches == (1, 1)
    assert store.info.channels == ("a", "b")


def test_finished_arrays_stay_as_they_are(place):
    class Raw(CustomMedicalDataset):
        preprocess = None
        size = 9

        def load_data(self):
            values = np.arange(2 * 9 * 9, dtype=np.int16).reshape(2, 9, 9) - 70
            return [{"image": values, "label": 0}, {"image": values + 1, "label": 1}]

    store = MedicalDataLoader(Raw()).prepare()
    assert store.images.dtype == np.int16
    assert store.images[1, 1, 8, 8] == 161 - 70 + 1
    with pytest.raises(MedflError, match="no image of raw could be read"):
        MedicalDataLoader(Raw(), size=16).prepare()


def failing(body: str) -> CustomMedicalDataset:
    names: dict = {"np": np, "CustomMedicalDataset": CustomMedicalDataset}
    lines = "\n".join(f"        {line}" for line in body.split("\n"))
    exec(f"class Wards(CustomMedicalDataset):\n    def load_data(self):\n{lines}\n", names)
    return names["Wards"]()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return 1 / 0", "Wards.load_data failed: ZeroDivisionError. What it says is not repeated"),
        ("return [{'image': lambda: {}['Huber'], 'label': k} for k in 'ab']", "KeyError. What it"),
        ("yield {'image': 'a.png', 'label': 1}\n[][3]", "Wards.load_data failed: IndexError"),
        ("pass", "it returned nothing"),
        ("return []", "Wards.load_data gave no sample"),
        ("return [3]", "sample 0 is of type int: give a dictionary"),
        ("return [{'image': 'a.png', 'lable': 1}]", "unknown key `lable`; did you mean `label`?"),
        ("return [{'image': 'a.png'}]", "sample 0 has no `label`"),
        ("return [{'image': 'a.png', 'label': None}]", "sample 0 has a label of type NoneType"),
        ("import sys; sys.exit(0)", "Wards.load_data failed: SystemExit"),
        ("return [{'image': 3, 'label': 1}, {'image': 3, 'label': 2}]", "image of sample 0 is of"),
        ("return [{'image': 'a', 'label': ['x', 'y']}]", 'say `task = "multilabel"`'),
        ("return [{'image': 'a', 'label': 1}]", "at least two classes"),
        ("return [{'image': {'a': 'f'}, 'label': 1}, {'image': 'f', 'label': 2}]", "modalities"),
    ],
)
def test_mistakes_in_a_class_are_one_line(place, body, message):
    with pytest.raises(MedflError) as error:
        MedicalDataLoader(failing(body)).prepare()
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert "Huber" not in str(error.value)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (lambda n: ([0] * n, ["train"] * n), "no sample into the fold val"),
        (lambda n: ([0] * (n - 1), ["train"] * n), "23 clients and 24 folds for 24 samples"),
        (lambda n: ([0] * n, ["holdout"] * n), "`holdout` is not train, val or test"),
        (lambda n: ([0.5] * n, ["train"] * n), "whole numbers from 0"),
        (lambda n: 3, "must return two lists"),
        (lambda n: ([0] * n, (["train", "val"] * n)[: n - 2] + ["test"] * 2), "lie in two folds"),
        (
            lambda n: ([0, 1] * (n // 2), ["train"] * (n - 4) + ["val"] * 2 + ["test"] * 2),
            "lie in two clients",
        ),
        (
            lambda n: ([2] * 2 + [0] * (n - 2), ["train"] * (n - 4) + ["val"] * 2 + ["test"] * 2),
            "client 1 no sample to train on",
        ),
        (lambda n: [][1], "create_federated_splits failed: IndexError"),
    ],
)
def test_own_splits_are_checked(place, split, message):
    class Wards(Arrays):
        def create_federated_splits(self, store, num_clients, partition, seed):
            return split(len(store))

    with pytest.raises(MedflError, match="create_federated_splits") as error:
        MedicalDataLoader(Wards()).create_federated_splits(2, "iid")
    assert message in str(error.value)


MODULE = """
import numpy as np
from medfl import CustomMedicalDataset

class Hospital(CustomMedicalDataset):
    def __init__(self, offset=0):
        self.offset = offset
    def load_data(self):
        for n in range(24):
            value = np.full((8, 8), n + self.offset, np.uint8)
            yield {"image": value, "label": "ab"[n % 2], "patient": n // 2 * 2 + n % 2}
    def create_federated_splits(self, store, num_clients, partition, seed):
        if partition == "custom":
            return [0, 0, 1] * 8, (["train"] * 12 + ["val"] * 6 + ["test"] * 6)
"""


def test_a_description_names_the_class(place, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("params/datasets/wards_of_ours.py").write_text(MODULE)
    text = "class: wards_of_ours:Hospital\noptions: {offset: 100}\nsize: 8\n"
    text += "preprocess: {intensity: full, channels: 1}\ntitle: Our wards"
    Path("params/datasets/wards.yaml").write_text(text)
    assert main(["prepare", "wards"]) == 0
    assert "24 images of 1×8×8" in capsys.readouterr().out
    arguments = ["split", "wards", "--partition", "custom", "--output", "custom/seed0.csv"]
    assert main(arguments) == 0
    rows = Path("custom/seed0.csv").read_text().splitlines()[1:]
    assert [row.split(",")[1] for row in rows[:4]] == ["0", "0", "1", "0"]
    Path("params/datasets/wards.yaml").write_text(text.replace("offset:", "ofset:"))
    assert main(["prepare", "wards"]) == 2
    assert "making `Hospital` failed: TypeError" in capsys.readouterr().err
    Path("params/datasets/wards.yaml").write_text("class: wards_of_ours:Hospitol")
    assert main(["prepare", "wards"]) == 2
    assert (
        "the dataset `wards_of_ours:Hospitol` cannot be loaded: AttributeError"
        in capsys.readouterr().err
    )
    Path("params/datasets/wards.yaml").write_text("class: pathlib:Path")
    assert main(["prepare", "wards"]) == 2
    assert "not a subclass of medfl.CustomMedicalDataset" in capsys.readouterr().err


def test_a_class_must_not_take_a_name_that_is_there(place):
    class Phantom(Arrays):
        pass

    with pytest.raises(MedflError, match="there is a dataset `phantom` already"):
        MedicalDataLoader(Phantom())
