"""What goes wrong in a class of one's own that reads data: one sentence, and the same draws."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from medfl.datasets.described import custom
from medfl.datasets.described.custom import CustomMedicalDataset
from medfl.errors import MedflError
from medfl.loader import MedicalDataLoader


class Wards(CustomMedicalDataset):
    """Twelve patients with two images each, in two classes."""

    size = 8
    preprocess: Mapping = {"intensity": "full", "channels": 1}
    given: Mapping = {}

    def load_data(self):
        for number in range(24):
            image = np.full((8, 8), 10 * number, np.uint8)
            yield {"image": image, "label": "ab"[number % 2], "patient": number // 2, **self.given}


class Unprintable:
    def __str__(self):
        raise RuntimeError("Huber")


class Broken(Mapping):
    def __iter__(self):
        raise RuntimeError("Huber")

    def __len__(self):
        return 2

    def __getitem__(self, key):
        return 1


FACTS = {
    "name": ({"name": 5}, "Wards.name gave int, but needed is a text."),
    "long name": ({"name": "x" * 101}, "Wards.name has more than 100 letters"),
    "title": ({"title": 1.0}, "Wards.title gave float, but needed is a text."),
    "classes": ({"classes": 5}, "Wards.classes gave int, but needed is a list of"),
    "one text": ({"classes": "ab"}, "Wards.classes gave str, but needed is a list of"),
    "no class": ({"classes": [None, "a"]}, "in its list, gave NoneType, but needed is a text or"),
    "endless classes": ({"classes": range(10**9)}, "has 1,000,000,000 names; 10,000 are the most"),
    "preprocess": ({"preprocess": "x"}, "Wards.preprocess gave str, but needed is a dictionary"),
    "size": ({"size": None}, "Wards.size is None, but needed is a whole number of pixels."),
    "part": ({"size": 8.5}, "Wards.size is 8.5, but needed is a whole number of pixels."),
    "large": ({"size": 10**9}, "the size must be from 8 to 2048 pixels, not 1000000000."),
    "fusion": ({"fusion": "lat"}, "Wards.fusion: unknown word `lat`; did you mean `late`?"),
    "raises": ({"licence": property(lambda self: {}["Huber"])}, "KeyError (line"),
    "exits": ({"fingerprint": lambda self: exit(0)}, "Wards.fingerprint failed: SystemExit"),
    "text": ({"given": {"patient": Unprintable()}}, "sample 0 cannot be read: RuntimeError"),
    "site": ({"given": {"site": "a\nb"}}, "sample 0 has a site with signs that no table can hold"),
    "half": ({"given": {"attributes": {"k": "\ud800"}}}, "has an attribute with signs that no tab"),
    "longest": ({"given": {"id": "x" * 10_001}}, "has an id of 10,001 letters: give 10,000 at"),
    "list": ({"given": {"patient": ["a"]}}, "has a patient of type list: give a text or a num"),
    "bytes": ({"given": {"label": b"a"}}, "has a label of type bytes: give a text or a whole num"),
    "None": ({"given": {"label": ["a", None]}}, "has a label of type NoneType: give a text or"),
    "attributes": ({"given": {"attributes": 5}}, "has attributes of type int: give a dictionary"),
    "twice": ({"given": {"attributes": {1: "x", "1": "y"}}}, "has two attributes of one name"),
    "group": ({"given": {"attributes": {"group": "x"}}}, "has a column `group` already: give it"),
    "pixels": ({"given": {"attributes": {"source_size": "x"}}}, "a column `source_size` already"),
    "no image": ({"given": {"image": {}}}, "sample 0 has a dictionary of no images: give one"),
    "NUL": ({"given": {"image": "a\0.png"}}, "image of sample 0 is a path with a NUL: take it out"),
    "broken": ({"load_data": lambda self: [Broken()]}, "sample 0 cannot be read: RuntimeEr"),
}


@pytest.mark.parametrize("case", FACTS)
def test_what_a_class_says_wrongly_is_one_sentence(place, case):
    attributes, message = FACTS[case]
    kind = type("Wards", (Wards,), attributes)
    with pytest.raises(MedflError) as error:
        MedicalDataLoader(kind()).prepare()
    assert message in str(error.value)
    assert "Huber" not in str(error.value)
    assert "mistake in medfl" not in str(error.value)
    prepared = Path("data/prepared")
    assert not prepared.exists() or not any(one.is_dir() for one in prepared.iterdir())


def test_numbers_of_numpy_are_numbers(place):
    class Numbers(Wards):
        size = np.int64(8)
        classes = (0, np.int64(1))

        def load_data(self):
            return [{**one, "label": np.int64(n % 2)} for n, one in enumerate(super().load_data())]

    store = MedicalDataLoader(Numbers()).prepare()
    assert store.images.shape == (24, 1, 8, 8)
    assert store.info.classes == ("0", "1")


def test_attributes_of_some_samples_are_columns_of_all(place):
    class Some(Wards):
        def load_data(self):
            for number, one in enumerate(super().load_data()):
                yield {**one, "attributes": {"age": 50} if number else {"view": "PA"}}

    store = MedicalDataLoader(Some()).prepare()
    assert store.attributes["age"].tolist() == ["", *["50"] * 23]
    assert store.attributes["view"].tolist() == ["PA", *[""] * 23]


def test_what_has_no_id_is_known_by_its_number(place):
    class Unnamed(Wards):
        given: Mapping = {"id": None}

    assert len(set(MedicalDataLoader(Unnamed()).prepare().ids)) == 24


def test_samples_that_never_end_are_refused(place, monkeypatch):
    monkeypatch.setattr(custom, "MOST_SAMPLES", 50)

    class Endless(Wards):
        def load_data(self):
            while True:
                yield from super().load_data()

    with pytest.raises(MedflError, match="more than 50 samples, and perhaps never ends"):
        MedicalDataLoader(Endless()).prepare()


@pytest.mark.filterwarnings("error")
def test_a_coroutine_gives_no_samples(place):
    class Waits(Wards):
        async def load_data(self):
            return []

    with pytest.raises(MedflError, match="it is `async def`: write `def load_data"):
        MedicalDataLoader(Waits()).prepare()


def test_what_is_made_in_place_of_an_object_is_refused(place, own_module):
    own_module(
        "my_data",
        "from medfl import CustomMedicalDataset\n"
        "class Odd(CustomMedicalDataset):\n"
        "    def __new__(cls): return 5\n"
        "    def load_data(self): return []\n",
    )
    with pytest.raises(MedflError, match="making `Odd` gave int, but needed is an object of"):
        MedicalDataLoader("my_data:Odd")


class Draws(Wards):
    """Draws its order, and its pixels when they are wanted."""

    def load_data(self):
        samples = list(super().load_data())
        random.shuffle(samples)
        return [{**one, "image": self.draw} for one in samples]

    @staticmethod
    def draw():
        return np.random.randint(0, 255, (8, 8)).astype(np.uint8)  # noqa: NPY002

    def create_federated_splits(self, store, num_clients, partition, seed):
        chance = {group: np.random.rand() for group in store.groups}  # noqa: NPY002
        client = [int(chance[group] < 0.5) for group in store.groups]
        first, second = list(dict.fromkeys(store.groups))[:2]
        fold = {first: "val", second: "test"}
        return [0 if g in fold else c for g, c in zip(store.groups, client, strict=True)], [
            fold.get(group, "train") for group in store.groups
        ]


def test_what_it_draws_is_the_same_each_time(place):
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    loader = MedicalDataLoader(Draws())
    first = loader.prepare()
    pixels, groups = np.array(first.images), first.groups.tolist()
    assert len(np.unique(pixels, axis=0)) == 24  # each image has draws of its own
    assert groups != sorted(groups)
    splits = [loader.create_federated_splits(2, "custom", seed=seed) for seed in (3, 3, 4)]
    random.seed(2)
    np.random.seed(2)  # noqa: NPY002
    expected = random.Random(2).random()
    again = loader.prepare(force=True)
    assert np.array_equal(again.images, pixels)
    assert again.groups.tolist() == groups
    assert random.random() == expected  # and it disturbs nobody else
    assert splits[0].clients.tolist() == splits[1].clients.tolist()
    assert splits[0].clients.tolist() != splits[2].clients.tolist()


def test_its_functions_are_called_one_at_a_time(place, monkeypatch):
    monkeypatch.setattr("medfl.files.parallel.cpu_count", lambda: 4)
    inside, most = [], []

    class Calls(Wards):
        def load_data(self):
            return [{**one, "image": self.image} for one in super().load_data()]

        @staticmethod
        def image():
            inside.append(threading.get_ident())
            most.append(len(inside))
            threading.Event().wait(0.002)
            inside.pop()
            return np.arange(64, dtype=np.uint8).reshape(8, 8)

    MedicalDataLoader(Calls()).prepare()
    assert most == [1] * 24


CHANGES = {
    "labels": "store.labels[:] = 0",
    "groups": "store.groups[:] = store.groups[0]",
    "ids": "store.ids.sort()",
    "attributes": "store.attributes['age'][:] = '1'",
}


@pytest.mark.parametrize("what", CHANGES)
def test_its_split_cannot_change_the_store(place, what):
    class Changes(Wards):
        given: Mapping = {"attributes": {"age": "50"}}

        def create_federated_splits(self, store, num_clients, partition, seed):
            exec(CHANGES[what], {"store": store})

    with pytest.raises(
        MedflError, match=r"create_federated_splits failed: ValueError: .*read-only"
    ):
        MedicalDataLoader(Changes()).create_federated_splits(2, "iid")


def test_what_its_split_puts_in_place_of_the_stores_is_not_seen(place):
    class Replaces(Wards):
        def create_federated_splits(self, store, num_clients, partition, seed):
            store.labels, store.groups = store.labels * 0, None
            store.attributes.clear()

    plain = MedicalDataLoader(Wards()).create_federated_splits(2, "iid")
    split = MedicalDataLoader(Replaces()).create_federated_splits(2, "iid")
    assert split.folds.tolist() == plain.folds.tolist()
    assert split.clients.tolist() == plain.clients.tolist()


def test_lists_that_fail_are_one_sentence(place):
    class Lists:
        def __iter__(self):
            raise SystemExit(0)

    class Odd(Wards):
        def create_federated_splits(self, store, num_clients, partition, seed):
            return Lists()

    with pytest.raises(MedflError, match="odd: create_federated_splits: SystemExit: 0"):
        MedicalDataLoader(Odd()).create_federated_splits(2, "iid")


def test_a_size_that_python_is_asked_for_is_checked(place):
    with pytest.raises(MedflError, match="the size must be from 8 to 2048 pixels, not 0"):
        MedicalDataLoader(Wards(), size=0)
