"""The test accuracy of every client, for papers: a table for each partition."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medfl.files import write_text
from medfl.partition import partition_title
from medfl.report.cell_state import CellState
from medfl.report.clients import client_name
from medfl.report.grid_results import GridResults
from medfl.report.latex import latex
from medfl.report.statistics import summarise
from medfl.report.tables import ArmRow, Entry, GroupedTable
from medfl.results.columns import ACCURACY
from medfl.results.runs import Run
from medfl.results.schema import ClientRecord

SAYS = (
    "Cells: mean ± standard deviation over seeds, of each client's own test samples by the model "
    "that it would use. Where each seed deals the data anew, a number names another client with "
    "each. –: not published, or without test samples."
)


def write_client_tables(results: GridResults, path: Path) -> None:
    """Write ``clients.tex``; beside it ``clients.csv`` has every seed, with intervals."""
    made = [
        (dataset, table)
        for dataset in results.datasets
        for partition in results.partitions_of(dataset)
        if (table := client_table(results, dataset, partition)).rows
    ]
    text = [latex([one], f"clients-{number}") for number, one in enumerate(made)]
    write_text(path, "\n".join(text))


def client_table(results: GridResults, dataset: str, partition: str) -> GroupedTable:
    """A row for each client, a column for each arm that has some."""
    runs = {
        arm: [run for run in results.at(dataset, partition, arm) if run.completed and run.record]
        for arm in results.arms
    }
    known = {arm: found for arm, found in runs.items() if any(map(_clients, found))}
    every = [run for found in known.values() for run in found]
    rows = []
    names = dict.fromkeys(name for run in every for name in _clients(run))
    for client in sorted(names, key=lambda name: not _takes_no_part(every, name)):
        entries = [Entry(_sizes(every, client))]
        entries += [Entry(_cell(found, client)) for found in known.values()]
        rows.append(ArmRow(_label(every, client), "", tuple(entries)))
    title = f"{ACCURACY.title} of each client, {partition_title(partition)}"
    return GroupedTable(title, ("Client", "n_test", *known), tuple(rows), (SAYS,))


def _clients(run: Run) -> dict[str, ClientRecord]:
    return run.record.clients if run.record else {}


def _takes_no_part(runs: Sequence[Run], client: str) -> bool:
    """Whether a client is a hospital never seen, which stands first."""
    found = [(run, _clients(run)[client]) for run in runs if client in _clients(run)]
    return all(run.record and run.record.unseen_by and one.n_train == 0 for run, one in found)


def _label(runs: Sequence[Run], client: str) -> str:
    """A client's number, with the name of its site where that is one."""
    names = {client_name(run, client) for run in runs if client in _clients(run)}
    return f"{client} {names.pop()}".strip() if len(names) == 1 else client


def _sizes(runs: Sequence[Run], client: str) -> str:
    """On how many test samples it is judged, over all runs."""
    found = {_clients(run)[client].n_test for run in runs if client in _clients(run)}
    sizes = sorted(size for size in found if size is not None)
    if not sizes:
        return "–"
    return str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]}–{sizes[-1]}"


def _cell(runs: Sequence[Run], client: str) -> str:
    """The mean of an arm over its seeds, as in every table."""
    tests = [_clients(run)[client].test for run in runs if client in _clients(run)]
    values = [test.accuracy for test in tests if test and test.accuracy is not None]
    summary = summarise(values) if values else None
    return CellState(summary, len(runs), 0, 0).describe(ACCURACY)
