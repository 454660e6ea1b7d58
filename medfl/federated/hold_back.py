"""Takes numbers of few people out of the files of a run that was finished before that was asked."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

from medfl.config import FederatedConfig
from medfl.disclosure.record import record_to_publish, round_to_publish, row_to_publish
from medfl.disclosure.split import HiddenCells
from medfl.errors import MedflError, failure
from medfl.federated.run_split import run_inputs, split_of_run
from medfl.files import OWN_HASH, own_hash, sha256_file, write_csv, write_json, write_text
from medfl.files.regular import read_text, regular
from medfl.metrics.federation import fairness
from medfl.metrics.interval import Proportion
from medfl.partition.small_cells import small_cells
from medfl.results import paths
from medfl.results.columns import CLIENTS, names_in
from medfl.results.intact import check_file
from medfl.results.record import AGAIN, as_dict, read_record
from medfl.results.schema import Fairness, Record
from medfl.store import Store

TABLES = (paths.ROUNDS, paths.CLIENTS)
_Row = dict[str, Any]


def hold_back_in(
    folder: Path, config: FederatedConfig, store_path: Path, split_path: Path, minimum: int
) -> None:
    """Take numbers of fewer than ``minimum`` out of a finished run that has published them.

    A run of other data or of another split is left as it is: it is none of the grid's.

    Raises:
        MedflError: the record is damaged; or the data are not at hand, without which nobody knows
            what its numbers count.
    """
    record = read_record(folder / paths.RECORD)
    if minimum <= 1 or (record.minimum_cell or 0) >= minimum:
        return
    if not store_path.is_dir():
        raise MedflError(
            f"{folder} publishes counts of fewer than {minimum}, and the store {store_path}, which "
            "is needed to take them out, is not there: make it with `medfl prepare`."
        )
    store = Store.open(store_path)
    inputs = run_inputs(store, split_path)
    if any(record.provenance.get(key) != value for key, value in inputs.items()):
        return
    hidden = small_cells(split_of_run(config, split_path, store), store, minimum)
    if hidden:
        equal_steps = config.federated_learning.local_steps is not None
        _hold_back(folder, record, hidden, equal_steps)


def _hold_back(folder: Path, record: Record, hidden: HiddenCells, equal_steps: bool) -> None:
    """Write the tables and the record of a finished run anew, without hidden numbers.

    The run need not be made again: nothing else of it changes. The worst client, the spread and
    Jain's index are those of the clients that are left; where these are others than before, the
    interval of the worst is not known any more.

    Args:
        folder: the run's.
        record: its record.
        hidden: what is not published of its split.
        equal_steps: the configuration sets the steps of all clients.

    Raises:
        MedflError: a table is not what the run wrote.
    """
    for name in TABLES:
        check_file(folder, name, record)
    measured = frozenset(names_in(CLIENTS))
    try:
        rounds, clients = _read(folder / paths.ROUNDS), _read(folder / paths.CLIENTS)
        tests = _tests(clients[1])
        for row in rounds[1]:
            if row["round"] in tests:
                found = _fairness(record.fairness, tests[row["round"]], hidden)
                row["worst_client_accuracy"] = found["worst"]
                row["worst_client_n_test"] = found["worst_n_test"]
        of_rounds = [round_to_publish(row, hidden, equal_steps) for row in rounds[1]]
        of_clients = [row_to_publish(row, hidden, measured) for row in clients[1]]
    except (OSError, ValueError, LookupError, TypeError, csv.Error) as error:
        # An older record has no hash of its tables, which may be damaged.
        raise MedflError(
            f"{folder}: its {' or '.join(TABLES)} cannot be read ({failure(error)}): {AGAIN}"
        ) from error
    write_csv(folder / paths.ROUNDS, rounds[0], of_rounds)
    write_csv(folder / paths.CLIENTS, clients[0], of_clients)
    if hidden.tests:
        _without_tests(folder / paths.LOG)
    content = as_dict(record)
    last = str(record.last.round) if record.last else ""
    if last in tests:
        content["fairness"] = _fairness(record.fairness, tests[last], hidden)
    tables = {name: sha256_file(folder / name) for name in TABLES}
    content = record_to_publish(content, hidden, equal_steps) | {"files": record.files | tables}
    content[OWN_HASH] = own_hash(content)
    write_json(folder / paths.RECORD, content)


def _tests(rows: list[_Row]) -> dict[str, dict[str, Proportion]]:
    """Round → client → its accuracy on test samples."""
    tests: dict[str, dict[str, Proportion]] = {}
    for row in rows:
        if row["fold"] == "test":
            value = float(row["accuracy"]) if row["accuracy"] else None
            share = Proportion(value, int(row["n"] or 0), int(row["patients"] or 0))
            tests.setdefault(row["round"], {})[row["client"]] = share
    return tests


def _without_tests(log: Path) -> None:
    """Take what a log's rounds say of test samples out of it, as ``progress_line`` writes it."""
    if log.exists():
        said = read_text(log)
        write_text(log, re.sub(r"  test [a-z0-9 ]+? (?:undefined|-?\d\.\d{3})(?=  )", "", said))


def _fairness(old: Fairness, tests: dict[str, Proportion], hidden: HiddenCells) -> _Row:
    least = (old.min_test_samples or 1, old.min_test_patients or 1)
    found = fairness(tests, *least, hidden.untested)
    same = (found["worst_client"], found["n"]) == (old.worst_client, old.n)
    found["worst_low"] = old.worst_low if same else None
    found["worst_high"] = old.worst_high if same else None
    return found


def _read(path: Path) -> tuple[list[str], list[_Row]]:
    with open(path, encoding="utf-8", newline="", opener=regular) as file:
        reader = csv.DictReader(file)
        return list(reader.fieldnames or ()), list(reader)
