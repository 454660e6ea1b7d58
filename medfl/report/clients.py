"""What tables say of single clients: on how many test samples a number is, and how sure it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from medfl.metrics.federation import enough
from medfl.partition import partition_title
from medfl.report.grid_results import GridResults
from medfl.report.remembered import remembered
from medfl.report.spreadsheet import write_spreadsheet
from medfl.results.column import Column
from medfl.results.columns import ACCURACY, WORST
from medfl.results.paths import KEYS
from medfl.results.runs import Run
from medfl.results.schema import Fairness

# What is said of each client of a run, after the last round.
COLUMNS = (
    *(*KEYS, "client", "client_name", "n_train", "n_test", "test_patients"),
    *("test_accuracy", "test_accuracy_low", "test_accuracy_high", "decides"),
)
NAMED = 12  # clients that a note names in one partition; the rest is counted


def write_clients(results: GridResults, path: Path) -> None:
    """Write a row for each client of each finished run."""
    rows: list[dict[str, Any]] = []
    for run in results.runs:
        if run.record and run.completed:
            for name, client in run.record.clients.items():
                test = client.test
                row: dict[str, Any] = {key: getattr(run, key) for key in KEYS}
                row |= {"client": name, "client_name": client_name(run, name)}
                row |= {"n_train": client.n_train, "n_test": client.n_test}
                row["test_patients"] = client.test_patients
                if test:
                    row["test_accuracy"] = test.accuracy
                    row["test_accuracy_low"] = test.accuracy_low
                    row["test_accuracy_high"] = test.accuracy_high
                row["decides"] = "yes" if decides(run, name) else "no"
                rows.append(row)
    write_spreadsheet(path, COLUMNS, rows)


def client_name(run: Run, client: str) -> str:
    """The site behind a client, as its split names it; empty where clients have no names."""
    names = run.record.heterogeneity.get("client_names") if run.record else None
    known = isinstance(names, list) and client.isdecimal() and int(client) < len(names)
    return str(names[int(client)]) if names and known else ""


def decides(run: Run, client: str) -> bool:
    """Whether a client takes part in worst client, spread and Jain's index of its run."""
    fairness = run.record.fairness if run.record else Fairness()
    return bool(fairness.n) and client not in (fairness.left_out or {})


def beside(
    results: GridResults, dataset: str, partition: str | None, arm: str, metric: Column
) -> str:
    """What stands behind the worst client's accuracy in a cell; empty for any other metric.

    It is on how many test samples the worst clients were judged; for one partition the interval of
    the lowest, too.
    """
    if metric is not WORST:
        return ""
    parts = results.partitions_of(dataset) if partition is None else [partition]
    found = [
        run.record.fairness
        for part in parts
        for run in results.at(dataset, part, arm)
        if run.completed and run.record and run.record.fairness.worst is not None
    ]
    words = _range(one.worst_n_test for one in found)
    if not words:
        return ""
    lowest = min(found, key=lambda one: one.worst or 0.0)
    if partition is None or lowest.worst_low is None or lowest.worst_high is None:
        return f" ({words})"
    ends = f"{ACCURACY.format(lowest.worst_low)} to {ACCURACY.format(lowest.worst_high)}"
    of = "interval" if len(found) == 1 else "interval of the lowest"
    return f" ({words}; {of} {ends})"


def worst_sizes(results: GridResults, dataset: str) -> str:
    """On how many test samples the worst clients of a dataset are: ``n_test = 20–40``, or empty."""
    runs = [run.record for arm in results.arms for run in results.of(dataset, arm)]
    return _range(record.fairness.worst_n_test for record in runs if record)


def _range(counts: Iterable[int | None]) -> str:
    sizes = sorted({count for count in counts if count is not None})
    if not sizes:
        return ""
    return f"n_test = {sizes[0]}" + (f"–{sizes[-1]}" if len(sizes) > 1 else "")


@remembered
def client_notes(results: GridResults, dataset: str) -> list[str]:
    """Notes on worst client, spread and Jain's index: who decides them, and who is left out."""
    said = [
        (run, run.record.fairness)
        for run in results.runs
        if run.dataset == dataset and run.completed and run.record
    ]
    asked = {
        enough(one.min_test_samples, one.min_test_patients or 1)
        for _, one in said
        if one.min_test_samples
    }
    if not asked:
        return []
    words = [
        f"Worst client, spread and Jain's index: test accuracy, of clients with "
        f"{' or '.join(sorted(asked))}. The worst of several is too low by luck as well: its "
        "interval allows for that; tables/clients.csv has every client's."
    ]
    left_out: dict[str, dict[str, None]] = {}
    blank: dict[str, dict[str, None]] = {}
    for run, fairness in said:
        title = partition_title(run.partition)
        for client, samples in (fairness.left_out or {}).items():
            who = " ".join(filter(None, ("client", client, client_name(run, client))))
            size = "not published" if samples is None else f"n_test = {samples}"
            some = f"{who} (seed {run.seed}, {size})"
            left_out.setdefault(title, {})[some] = None
        if fairness.reason:
            blank.setdefault(fairness.reason, {})[title] = None
    if left_out:
        words.append(
            "Left out, too few test samples or patients: "
            + "; ".join(f"{title}: {_some(list(who))}" for title, who in left_out.items())
            + "."
        )
    for reason, titles in blank.items():
        words.append(f"No worst client in {', '.join(titles)} (in some runs or all): {reason}.")
    return words


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
