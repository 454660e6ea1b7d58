"""The numbers of a run's rounds, all or some of them."""

from __future__ import annotations

import hashlib
import math
from types import SimpleNamespace

import pytest

from medfl.errors import MedflError
from medfl.results import paths
from medfl.results.runs import Run
from medfl.results.tables import history_of, of_clients

TABLE = "round,bytes_total,test_accuracy,worst_client_accuracy\n0,0,,0.1\n1,10,0.5,0.2\n"


def made(folder, table=TABLE, known=True, **more):
    """A run with a table of rounds, which its record knows."""
    (folder / paths.ROUNDS).write_text(table)
    files = {paths.ROUNDS: hashlib.sha256(TABLE.encode()).hexdigest()} if known else {}
    return Run("toy", "iid", "fedavg", 0, folder, SimpleNamespace(files=files), **more)


@pytest.mark.parametrize("known", [True, False])
def test_numbers_of_rounds(tmp_path, known):
    run = made(tmp_path, known=known)
    every, some = history_of(run), history_of(run, ("round", "test_accuracy", "loss"))
    assert list(every) == TABLE.partition("\n")[0].split(",")
    assert list(some) == (["round", "test_accuracy"] if known else list(every))
    for history in (every, some):
        assert history["round"].tolist() == [0, 1]
        assert history["test_accuracy"][1] == 0.5
        assert math.isnan(history["test_accuracy"][0])


def test_a_shared_run_knows_nothing_of_clients(tmp_path):
    run = made(tmp_path, shared="pooled")
    for history in (history_of(run), history_of(run, ("round", "worst_client_accuracy"))):
        assert "worst_client_accuracy" in of_clients()
        assert all(map(math.isnan, history["worst_client_accuracy"]))
        assert history["round"].tolist() == [0, 1]


@pytest.mark.parametrize("only", [(), ("round", "bytes_total")])
@pytest.mark.parametrize(
    ("table", "words"),
    [
        (TABLE.replace("0.5", "0.6"), "is damaged or was edited"),
        (TABLE.replace("0.5", "half"), "cannot be read"),  # also in a column that nobody asks for
        (TABLE[:-5], "it is empty or cut off"),
    ],
)
def test_a_table_that_its_run_did_not_write_is_checked_as_a_whole(tmp_path, only, table, words):
    with pytest.raises(MedflError, match=words):
        history_of(made(tmp_path, table), only)


@pytest.mark.parametrize("only", [(), ("round",)])
def test_a_table_that_is_gone_is_told(tmp_path, only):
    run = made(tmp_path)
    (tmp_path / paths.ROUNDS).unlink()
    with pytest.raises(MedflError, match="does not exist"):
        history_of(run, only)
