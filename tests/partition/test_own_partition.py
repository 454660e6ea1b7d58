"""A person's own partition: a class with the shares of each client, named in the configuration."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated.code import run_code
from medfl.grid import load_grid
from medfl.partition import Split, client_transform, make_split, parse_partition, partition_title
from medfl.partition.code import split_code
from medfl.partition.heterogeneity import heterogeneity
from medfl.versions import code_of

OWN = '''
import numpy as np
from medfl.partition import Block, Partition, Value

class Lead(Partition):
    """The first client has this part of every label; the others share the rest."""

    value = Value("the first client's part", "0.7", high=1)
    title = "First client has {}"

    def shares(self, request):
        rest = (1 - self.number) / (request.clients - 1)
        sizes = [self.number] + [rest] * (request.clients - 1)
        return np.repeat(np.array(sizes)[:, None], len(request.groups.columns), axis=1)

    def transform(self, client, num_clients, seed):
        return None if client else lambda images: 255 - images

class TwoClients(Partition):
    natural = True

    def blocks(self, request):
        odd = np.arange(len(request.groups)) % 2 == 1
        one = np.ones((1, len(request.groups.columns)))
        return [Block(~odd, one, "even"), Block(odd, one, "odd")]

class Wrong(Partition):
    def shares(self, request):
        return np.ones((request.clients, len(request.groups.columns)))

class Narrow(Partition):
    def shares(self, request):
        return np.ones((1, 1))

class Lost(TwoClients):
    def blocks(self, request):
        return super().blocks(request)[:1]

class Fails(Partition):
    def shares(self, request):
        return request.nothing

class NoArguments(Partition):
    def __init__(self):
        pass

class Forgets(Partition):
    def __init__(self, *given):
        pass

class Looks(Partition):
    def transform(self, client):
        return None

class Number(Partition):
    value = 0.5

class Breaks(Partition):
    def transform(self, client, num_clients, seed):
        return [][client]

class Blinds(Partition):
    def transform(self, client, num_clients, seed):
        return lambda images: images / images.nothing

class Floats(Partition):
    def transform(self, client, num_clients, seed):
        return lambda images: images / 2

class Few(Partition):
    def shares(self, request):
        return np.full((2, len(request.groups.columns)), 0.5)

class Other:
    pass
'''

PAGE = Path(__file__).parents[2] / "docs/your-own-code.md"


@pytest.fixture(autouse=True)
def my_parts(own_module):
    return own_module("my_parts", OWN)


def test_it_deals_by_its_shares(make_store, tmp_path):
    store = make_store(np.arange(400) % 2)
    split = make_split(store, "my_parts:Lead-0.7", 4, 0)
    # 65 % of 400 samples are to train on: 260, of which 70 %, and 10 % for each of the others.
    assert split.counts()[:, 0] == pytest.approx([182, 26, 26, 26], abs=2)
    # The word names folders: a dot for the colon, and either is understood.
    assert split.partition == "my_parts.Lead-0.7"
    path = tmp_path / "splits" / split.partition / "seed0.csv"
    split.write(path)
    again = Split.read(path, store)
    assert (again.partition, again.seed) == ("my_parts.Lead-0.7", 0)
    np.testing.assert_array_equal(again.clients, split.clients)
    other = make_split(store, "my_parts.Lead-0.7", 4, 0)
    np.testing.assert_array_equal(other.clients, split.clients)


def test_the_page_has_it_as_it_runs(make_store, tmp_path):
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    (tmp_path / "my_parts.py").write_text(code)
    split = make_split(make_store(np.arange(400) % 2), "my_parts:Lead-0.7", 4, 0)
    assert split.counts()[:, 0] == pytest.approx([182, 26, 26, 26], abs=2)


def test_it_may_change_what_a_client_sees_and_say_its_title():
    images = np.full((1, 1, 2, 2), 5, np.uint8)
    assert (client_transform("my_parts:Lead-0.7", 0, 3, 0)(images) == 250).all()
    assert client_transform("my_parts:Lead-0.7", 1, 3, 0) is None
    with pytest.raises(MedflError, match=r"`my_parts.Breaks`: IndexError: .*in Breaks.transform, "):
        client_transform("my_parts:Breaks", 0, 3, 0)
    assert partition_title("my_parts.Lead-0.7") == "First client has 0.7"
    assert partition_title("my_parts.TwoClients") == "my_parts.TwoClients"
    assert partition_title("gone.TwoClients") == "gone.TwoClients"


def test_it_may_say_who_shares_what(make_store):
    store = make_store(np.arange(120) % 2)
    split = make_split(store, "my_parts:TwoClients", None, 1)
    assert split.client_names == ("even", "odd")
    np.testing.assert_array_equal(split.clients, np.arange(120) % 2)
    assert parse_partition("my_parts:TwoClients").natural


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("my_parts:Leader-0.7", "the partition `my_parts:Leader` cannot be loaded: AttributeErr"),
        ("my_parts:Other", "`my_parts:Other` is not a subclass of medfl.partition.Partition"),
        ("my_parts:Lead", "lacks the first client's part: write it like `my_parts.Lead-0.7`"),
        ("my_parts:Lead-2", "the first client's part must be from 0 to 1"),
        ("my_parts:TwoClients-1", "`my_parts.TwoClients` takes no value"),
        ("my_parts:Wrong", "every column of its shares must be 0 or more and sum to 1"),
        ("my_parts:Narrow", r"shares of shape \(1, 1\); .* 2 columns.*class00, class01"),
        ("my_parts:Lost", r"every group \(patient\) must be a member of one of its blocks"),
        ("my_parts:Fails", r"partition `my_parts.Fails`: AttributeError: .*my_parts.py\)"),
        (
            "my_parts:NoArguments",
            "partition `my_parts.NoArguments` cannot be built: TypeError: NoArguments.__init__.. t",
        ),
        ("my_parts:Forgets", r"must take \(self, word, name, number\) and hand them to super"),
        ("my_parts:Looks", r"write `def transform\(self, client, num_clients, seed\)`"),
        ("my_parts:Number", "its class attribute `value` is 0.5: it must be a Value"),
        ("my_parts:Few", "gives shares of 2 clients, but num_clients is 3: give a row for each of"),
        ("nowhere:Lead-1", "No module named 'nowhere'"),
    ],
)
def test_one_that_does_not_fit_is_one_sentence(make_store, word, message):
    with pytest.raises(MedflError, match=message) as error:
        make_split(make_store(np.arange(80) % 2), word, 3, 0)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "my_parts:Blinds",
            r"`my_parts.Blinds`: AttributeError: .* \(in Blinds.transform.<lambda>, l",
        ),
        ("my_parts:Floats", "its transform gives float64 images of .* it must keep both"),
    ],
)
def test_a_transform_that_fails_is_one_sentence(make_store, word, message):
    store = make_store(np.arange(80) % 2)
    with pytest.raises(MedflError, match=message):
        heterogeneity(make_split(store, word, 3, 0), store)


def test_a_grid_names_it():
    grid = load_grid(
        {
            "arms_file": None,
            "arm_settings": {"fedavg": {"algorithm": "fedavg"}},
            "datasets": ["phantom"],
            "partitions": ["iid", "my_parts:Lead-0.7", "my_parts:TwoClients"],
            "arms": ["fedavg"],
            "seeds": [0],
        }
    )
    assert grid.partitions == ["iid", "my_parts.Lead-0.7", "my_parts.TwoClients"]
    assert [grid.clients("phantom", word) for word in grid.partitions] == [10, 10, None]
    assert ":" not in str(grid.split_path(grid.cells()[1]))
    assert FederatedConfig(partition="my_parts:Lead-0.7").partition == "my_parts.Lead-0.7"


def test_its_file_counts_for_the_hashes_of_splits_and_runs(my_parts):
    def hashes(word):
        code_of.cache_clear()
        return split_code(word).identity, run_code(FederatedConfig(partition=word)).identity

    before, built_in = hashes("my_parts.Lead-0.7"), hashes("iid")
    my_parts.write_text(OWN + "# edited\n")
    after = hashes("my_parts.Lead-0.7")
    assert before[0] != after[0]
    assert before[1] != after[1]
    assert hashes("iid") == built_in
