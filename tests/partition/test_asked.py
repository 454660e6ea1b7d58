"""A partition of one's own that answers nonsense, or does what no partition may do."""

from __future__ import annotations

import importlib
import os
import random
import sys

import numpy as np
import pytest

from medfl.errors import MedflError
from medfl.partition import client_transform, make_split
from medfl.partition.custom import check_own

HEAD = """
import os, random, sys
import numpy as np
from medfl.partition import Block, Partition

class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no words")

def equal(request):
    return np.full((request.clients, len(request.groups.columns)), 1 / request.clients)

def all_of(request):
    return np.ones(len(request.groups), bool)

class P(Partition):
"""
SHARES, BLOCKS = (
    "    def shares(self, request):\n        ",
    "    def blocks(self, request):\n        ",
)
FOLDS = "    def folds(self, request):\n        "
REFUSED = {
    "mute": (
        SHARES + "raise Mute()",
        r"`: Mute \(in P\.shares, line \d+ of my_parts\.py",
    ),
    "long": (
        SHARES + "raise ValueError('word ' * 5000)",
        r"ValueError: (word )+… \(in",
    ),
    "base": (SHARES + "raise BaseException('no')", r"BaseException: no \(in P\.shares"),
    "generator": (SHARES + "raise GeneratorExit", r"GeneratorExit \(in P\.shares"),
    "complex": (SHARES + "return equal(request) * 1j", "gives shares that are complex numbers"),
    "counts": (SHARES + "request.groups.counts[:] = 0", "read-only"),
    "labels": (SHARES + "request.store.labels[:] = 0", "read-only"),
    "fold": (SHARES + "request.fold[:] = 0", "read-only"),
    "name": (BLOCKS + "return [Block(all_of(request), equal(request), 7)]", "a text on one line"),
    "line": (BLOCKS + "return [Block(all_of(request), equal(request), 'a\\nb')]", "on one line"),
    "minus": (
        BLOCKS + "one = all_of(request) * 1\n"
        "        return [Block(2 * one, equal(request)), Block(-one, equal(request))]",
        r"every group \(patient\) must be a member",
    ),
    "folds end": (FOLDS + "sys.exit(0)", r"`my_parts\.P`: SystemExit: 0 \(in P\.folds"),
    "folds None": (
        FOLDS + "return None",
        r"folds are object of shape \(\); needed",
    ),
    "folds short": (FOLDS + "return request.fold[:3]", r"folds are int64 of shape \(3,\); needed"),
    "folds 7": (
        FOLDS + "return request.fold * 0 + 7",
        r"folds must be 0 \(train\), 1 \(val\)",
    ),
    "folds -1": (FOLDS + "return request.fold - 1", "folds must be 0"),
    "folds 0.0": (FOLDS + "return request.fold / 1", "folds are float64"),
    "natural": ("    natural = property(lambda self: 1 / 0)", r"`my_parts\.P`: ZeroDivisionError"),
    "value": ("    value = property(lambda self: 1 / 0)", "`value` must be a Value, or None"),
    "word": (
        "    def __init__(self, word, name, number=0.0):\n"
        "        super().__init__(None, name, number)",
        "hand them to super",
    ),
}


@pytest.fixture
def store(make_store):
    return make_store(np.arange(80) % 2)


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_partition_may_say_is_one_sentence(own_module, store, name):
    code, message = REFUSED[name]
    own_module("my_parts", HEAD + code)
    before = store.labels.copy()
    with pytest.raises(MedflError, match=message) as error:
        make_split(store, "my_parts:P", 3, 0)
    assert len(str(error.value)) < 800
    assert (store.labels == before).all()
    assert store.labels.flags.writeable


@pytest.mark.parametrize(
    "code",
    [
        BLOCKS + "return [Block(all_of(request).tolist(), equal(request).tolist())]",
        BLOCKS + "return [Block(all_of(request) * 1, equal(request).astype(object))]",
    ],
)
def test_lists_and_numbers_stand_for_arrays(own_module, store, code):
    own_module("my_parts", HEAD + "    pass")
    wanted = make_split(store, "my_parts:P", 3, 0).clients
    del sys.modules["my_parts"]
    own_module("my_parts", HEAD + code)
    importlib.invalidate_caches()
    assert make_split(store, "my_parts:P", 3, 0).clients.tolist() == wanted.tolist()


def test_draws_from_the_whole_process_are_those_of_the_seed(own_module, store):
    draws = "a = np.random.rand(request.clients, 1) + random.random()\n"
    draws += "        return np.repeat(a / a.sum(), len(request.groups.columns), axis=1)"
    own_module("my_parts", HEAD + SHARES + draws)
    state = random.getstate()
    splits = [make_split(store, "my_parts:P", 3, seed).clients.tolist() for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]
    assert random.getstate() == state  # and it disturbs nobody


def test_the_current_folder_stays_what_it_was(own_module, store):
    own_module("my_parts", HEAD + SHARES + "os.chdir('/')\n        return equal(request)")
    here = os.getcwd()
    make_split(store, "my_parts:P", 3, 0)
    assert os.getcwd() == here


@pytest.mark.parametrize(
    ("gives", "message"),
    [
        ("5", "transform gave int, but needed is a function"),
        ("lambda images: None", "its transform gives NoneType for uint8 images of"),
        ("lambda images: images[:1]", r"its transform gives uint8 images of shape \(1, 1, 8, 8\)"),
        ("lambda images: sys.exit(0)", r"SystemExit: 0 \(in P.transform.<lambda>"),
    ],
)
def test_a_transform_is_held_to_its_images(own_module, gives, message):
    line = f"    def transform(self, client, num_clients, seed):\n        return {gives}"
    own_module("my_parts", HEAD + line)
    with pytest.raises(MedflError, match=message):
        client_transform("my_parts:P", 0, 2, 0)(np.zeros((3, 1, 8, 8), np.uint8))


@pytest.mark.parametrize(
    ("clients", "folds", "message"),
    [
        (3, "train", "must return two lists"),
        ([0, 1], [["train"], ["val"]], "must return two lists"),
        ([0] * 79 + [10**15], ["train", "val", "test", "test"] * 20, "gives client 1 no sample"),
    ],
)
def test_a_dataset_s_own_split_is_looked_through_in_no_time(store, clients, folds, message):
    with pytest.raises(MedflError, match=message):
        check_own((clients, folds), store, "wards")
