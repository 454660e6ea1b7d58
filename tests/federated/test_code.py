"""Which code counts as a run's, so that an edit makes the run stale."""

from __future__ import annotations

import json
import sys

import pytest

from medfl import versions
from medfl.algorithms.registry import ALGORITHMS
from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated import code as run_module
from medfl.federated.code import run_code
from medfl.models.registry import MODELS
from medfl.partition.registry import PARTITIONS
from medfl.sources import hashes
from medfl.versions import Code, code_of


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Results versions that no edit of the package changes."""
    monkeypatch.setattr(run_module, "ENGINE", 7)
    for registry in (ALGORITHMS, MODELS, PARTITIONS):
        monkeypatch.setattr(registry, "_versions", {})
    code_of.cache_clear()
    yield
    code_of.cache_clear()


@pytest.fixture
def stamp(tmp_path, monkeypatch):
    """The stamp as a file of the test's own; what it holds is written by the function given."""
    path = tmp_path / "stamp.json"
    monkeypatch.setattr(versions, "STAMP", path)

    def write(**changes):
        rooms = ("medfl.federated", "medfl.algorithms", "medfl.models", "medfl.partition")
        path.write_text(json.dumps(hashes(rooms) | changes))
        code_of.cache_clear()

    return write


def code(algorithm="fedavg", model="cnn", partition="iid") -> Code:
    return run_code(FederatedConfig(algorithm=algorithm, model=model, partition=partition))


def test_stamped_sources_count_by_their_results_versions(stamp, monkeypatch):
    stamp()
    assert code().identity == "engine 7, algorithm fedavg 1, model cnn 1, partition iid 1"
    monkeypatch.setitem(ALGORITHMS._versions, "fedprox", 3)
    assert code("fedprox", "resnet18", "dirichlet-0.5").versions == (
        "engine 7, algorithm fedprox 3, model resnet18 1, partition dirichlet 1"
    )


def test_an_edited_source_counts_by_the_hash_of_all(stamp):
    stamp(**{"medfl.algorithms.fedprox": "0" * 64})
    edited = code("fedprox")
    assert edited.versions is None
    assert edited.identity == edited.sha
    assert len(edited.sha) == 64
    # Only the runs that use it.
    assert code("fedavg").versions
    stamp(**{"medfl.federated.client": "0" * 64})
    assert code("fedavg").versions is None


def test_without_a_stamp_all_sources_are_hashed(stamp):
    assert code().versions is None


def test_hashes_are_of_what_a_run_uses():
    shas = {code(a, m).sha for a in ("fedavg", "fedprox") for m in ("cnn", "resnet18")}
    assert len(shas) == 4
    assert code("fedadam").sha == code("fedyogi").sha  # they share a file
    assert code(model="cnn").sha == code(model="mlp").sha


def test_a_persons_own_class_is_always_hashed(stamp, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    stamp()
    path = tmp_path / "my_own_algorithm.py"
    path.write_text(
        "from medfl.algorithms.fedprox import FedProx\nclass Mine(FedProx):\n    pass\n"
    )
    try:
        first = code("my_own_algorithm:Mine").identity
        # With the results versions of the built-in classes that it builds on.
        assert first.startswith(
            "engine 7, algorithm fedavg 1, algorithm fedprox 1, model cnn 1, partition iid 1, my_"
        )
        path.write_text(path.read_text() + "# edited\n")
        code_of.cache_clear()
        assert code("my_own_algorithm:Mine").identity != first
    finally:
        sys.modules.pop("my_own_algorithm", None)


def test_codes_give_the_same_numbers_by_version_or_as_one_and_the_same():
    one = Code("a" * 64, "engine 1")
    assert one.same_numbers(Code("b" * 64, "engine 1"))
    assert one.same_numbers(Code("a" * 64, None))
    assert not one.same_numbers(Code("b" * 64, "engine 2"))
    assert not Code("a" * 64, None).same_numbers(Code("b" * 64, None))


def test_unknown_algorithms_are_refused():
    with pytest.raises(MedflError, match="did you mean `fedavg`"):
        code("fedavgg")
