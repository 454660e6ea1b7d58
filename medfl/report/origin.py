"""Where results come from: what each arm is, which code ran, on which data and splits."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from medfl.partition import partition_title
from medfl.report import names
from medfl.report.arm_settings import own_settings
from medfl.report.grid_results import GridResults
from medfl.report.privacy import protection
from medfl.results.runs import Run
from medfl.results.schema import Record

# The hashes of a run's data and split; the rest of its provenance is about the code.
_INPUT_HASHES = ("store_fingerprint", "split_sha256")
_PER_RUN = (*_INPUT_HASHES, "config_sha256", "started", "tuned_sha256", "tuning")


def arm_rows(results: GridResults) -> list[dict[str, Any]]:
    """What each arm is, by the first of its records."""
    rows, settings = [], own_settings(results)
    for arm in results.arms:
        runs = [run for run in results.runs if run.arm == arm and run.record]
        if not runs or not runs[0].record:
            words = ("settings", "protection", "objective", "work", "evaluated", "statistics")
            rows.append({"arm": arm, "algorithm": "–", **dict.fromkeys(words, "")})
            continue
        record = runs[0].record
        rows.append(
            {
                "arm": arm,
                "algorithm": record.algorithm or "–",
                "settings": settings.get(arm, ""),
                "protection": " — ".join(_protections(results, arm)),
                "objective": _words(runs, "objective"),
                "work": "; beside it each ".join(
                    filter(None, (_words(runs, "work"), _words(runs, "extra_work")))
                ),
                "evaluated": {
                    "global": "the server's model",
                    "personal": "own patients: each client's own model",
                    "local": "own patients: each client's own model",
                }.get(record.evaluated or "", "")
                + _for_everyone(record),
                "statistics": record.statistics or "",
            }
        )
    return rows


def _protections(results: GridResults, arm: str) -> list[str]:
    """How an arm's finished runs are protected, with the dataset where that differs."""
    found = {
        dataset: protection(results, dataset, arm).words
        for dataset in results.datasets
        if any(run.completed for run in results.of(dataset, arm))
    }
    if len(set(found.values())) < 2:
        return list(found.values())[:1]
    return [f"{dataset}: {words}" for dataset, words in found.items()]


def _words(runs: Sequence[Run], name: str) -> str:
    """What records say of an arm in words; where that differs, by the dataset and partition."""
    places: dict[str, dict[str, None]] = {}
    for run in runs:
        if words := getattr(run.record, name):
            place = f"{run.dataset}, {partition_title(run.partition)}"
            places.setdefault(words, {})[place] = None
    if len(places) < 2:
        return "".join(places)
    return " — ".join(f"{'; '.join(found)}: {words}" for words, found in places.items())


def _for_everyone(record: Record) -> str:
    """Whose model answers for everyone, where it is not the one that clients use."""
    if record.evaluated in (None, "global") or not record.everyone_by:
        return ""
    server = record.everyone_by == "server"
    return "; for everyone: " + ("the server's model" if server else "the clients', in the mean")


def code_origin(results: GridResults) -> list[tuple[str, list[tuple[str, int]]]]:
    """Each key of the provenance about the code → its values, with the number of runs of each."""
    counts: dict[str, Counter[str]] = {}
    for run in results.trained:
        for key, value in (run.record.provenance if run.record else {}).items():
            if key not in _PER_RUN:
                counts.setdefault(key, Counter()).update(_origin_words(key, value))
    return [(key.replace("_", " "), count.most_common()) for key, count in counts.items()]


def _origin_words(key: str, value: Any) -> list[str]:
    """One value of a run's provenance for readers: each results version, each way of computing."""
    if key == "results_versions" and isinstance(value, str):
        return value.split(", ")
    if key == "stretches" and isinstance(value, list):
        by = [_computer(one) for one in value if isinstance(one, dict)]
        computers = "; then ".join(by[:1] if len(set(by)) == 1 else by)
        return [f"{names.plural(len(by), 'stretch', 'stretches')}: {computers}"]
    return ["–" if value is None else str(value)]


def _computer(stretch: dict[str, Any]) -> str:
    """What a stretch of rounds was computed by: ``cpu, torch 2.13.0, 1 thread``."""
    threads = stretch.get("threads")
    words = names.plural(threads, "thread") if isinstance(threads, int) else "threads not recorded"
    return f"{stretch.get('device')}, torch {stretch.get('torch')}, {words}"


def count_edited_sources(results: GridResults) -> int:
    """How many runs come from sources on which the golden test was not passed."""
    records = [run.record for run in results.trained if run.record]
    return sum(not record.provenance.get("results_versions") for record in records)


def input_hashes(results: GridResults) -> list[dict[str, Any]]:
    """The hashes of the data and split of each dataset, partition and seed.

    A seed with two hashes has runs that were made from different inputs.
    """
    rows, by_place = [], defaultdict[Any, list[Run]](list)
    for run in results.trained:
        if run.record:
            by_place[run.dataset, run.partition, run.seed].append(run)
    # The shared runs come last: their partition is none of the grid's.
    partitions = dict.fromkeys([*results.partitions, *(place[1] for place in by_place)])
    for dataset in results.datasets:
        for partition in partitions:
            for seed in results.seeds:
                runs = by_place[dataset, partition, seed]
                found = {
                    key: sorted(
                        {str(run.record.provenance.get(key, "–")) for run in runs if run.record}
                    )
                    for key in _INPUT_HASHES
                }
                if runs:
                    rows.append({"dataset": dataset, "partition": partition, "seed": seed, **found})
    return rows
