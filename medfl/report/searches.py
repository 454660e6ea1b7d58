"""What was searched for the values of tuned runs, as their records say it: choices and curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from medfl.partition import partition_title
from medfl.report.grid_results import GridResults
from medfl.report.names import plural
from medfl.results import paths
from medfl.results.column import Column

Searches = Mapping[Any, Mapping[str, Any]]
"""The run on whose folds was searched (a ``CellLike``) → the content of its ``chosen.json``."""
Curves = dict[tuple[str, str, str], list[float]]


class Searched(NamedTuple):
    """The run on whose folds was searched."""

    dataset: str
    partition: str
    arm: str
    seed: int


@dataclass(frozen=True)
class TuningSection:
    """What the page says of tuning.

    Attributes:
        words: how it was done.
        rows: one for each dataset, partition and arm.
        picture: the best-of-k curves.
    """

    words: str
    rows: list[dict[str, Any]]
    picture: Path


def tuning_section(
    results: GridResults, folder: Path, endings: Sequence[str] = ()
) -> TuningSection | None:
    """Draw the curves of a tuned grid, and gather what was chosen; None where nothing was tuned.

    Args:
        results: the runs.
        folder: where the picture goes.
        endings: further forms of it beside PNG and SVG.
    """
    searches = searches_of(results)
    if not searches:
        return None
    from medfl.pages.figures import save  # tables are written without matplotlib
    from medfl.report.plots.best_of_k import draw_best_of_k

    metrics = {cell.dataset: str(found["metric"]) for cell, found in searches.items()}
    figure = draw_best_of_k(mean_curves(searches), metrics)
    name = Path(paths.BEST_OF_K).name
    picture = save(figure, folder / name, (".svg", ".png", *endings))
    return TuningSection(_words(searches), tuning_rows(results), picture)


def searches_of(results: GridResults) -> dict[Searched, Mapping[str, Any]]:
    """The searches that a grid's records have; seeds may share one, and so may partitions."""
    found = {}
    # Runs that partitions share come last: their partition is none of the grid's.
    for run in sorted(results.trained, key=lambda run: run.partition not in results.partitions):
        search = run.record.provenance.get("tuning") if run.record else None
        if search:
            cell = Searched(run.dataset, run.partition, run.arm, search["folds_of_seed"])
            found[cell] = search
    return found


def best_of_k(values: Sequence[float | None]) -> list[float]:
    """The expected best of k = 1 … n points, drawn from n without putting back.

    With v_1 ≤ … ≤ v_n it is Σ_i v_i · C(i−1, k−1) / C(n, k): v_i is the best where the other k−1
    are among the i−1 below it (the estimate of Dodge et al., EMNLP 2019, for draws without
    replacement). The last is the best of all.

    Args:
        values: of each point; None where a run diverged, which is below all others. For a k at
            which only such points may be drawn nothing is expected: NaN.
    """
    n = len(values)
    ordered = sorted(-math.inf if value is None else value for value in values)
    curve = []
    for k in range(1, n + 1):
        shares = [math.comb(i, k - 1) / math.comb(n, k) for i in range(n)]
        parts = [value * share for value, share in zip(ordered, shares, strict=True) if share]
        expected = sum(parts)
        curve.append(expected if math.isfinite(expected) else math.nan)
    return curve


def mean_curves(searches: Searches) -> Curves:
    """(dataset, partition, arm) → the expected best of 1 … n points, the mean over seeds."""
    return {
        place: [sum(at) / len(at) for at in zip(*map(_curve, found.values()), strict=True)]
        for place, found in by_place(searches).items()
    }


def by_place(searches: Searches) -> dict[tuple[str, str, str], dict[int, Mapping[str, Any]]]:
    """(dataset, partition, arm) → seed of the folds → the search on them."""
    places: dict[tuple[str, str, str], dict[int, Mapping[str, Any]]] = {}
    for cell, search in searches.items():
        places.setdefault((cell.dataset, cell.partition, cell.arm), {})[cell.seed] = search
    return places


def _curve(search: Mapping[str, Any]) -> list[float]:
    return best_of_k([point["validation"] for point in search["points"]])


def title_of(metric: Column) -> str:
    """A metric's title, as one of validation samples."""
    return f"{metric.short} (%)" if metric.unit == "%" else metric.short


def _words(searches: Searches) -> str:
    budgets = sorted({len(search["points"]) for search in searches.values()})
    points = " or ".join(map(str, budgets))
    return (
        f"Every arm was trained at {points} points of its own search space, the first of which is "
        "what it is shipped with. By dataset, partition and seed of the folds, that point was "
        "chosen whose primary metric on validation samples was best after the last round. No test "
        "sample took part."
    )


def tuning_rows(results: GridResults) -> list[dict[str, Any]]:
    """What was searched and chosen, for each dataset, partition and arm; none where nothing was."""
    rows = []
    for (dataset, partition, arm), found in by_place(searches_of(results)).items():
        metric = results.primary(dataset)
        first = [search["points"][0]["validation"] for search in found.values()]
        best = [search["points"][search["chosen"] - 1]["validation"] for search in found.values()]
        rows.append(
            {
                "dataset": dataset,
                "partition": partition_title(partition),
                "arm": arm,
                "points": len(next(iter(found.values()))["points"]),
                "chosen": _chosen(found),
                "metric": title_of(metric),
                "shipped": _mean(first, metric),
                "best": _mean(best, metric),
            }
        )
    return rows


def _chosen(found: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """The chosen values, those of most seeds first, each with the seeds of the folds."""
    seeds: dict[str, list[int]] = {}
    for seed, search in found.items():
        values = {key.removeprefix("training."): one for key, one in search["values"].items()}
        words = ", ".join(f"{key} = {value}" for key, value in values.items())
        shipped = " (as shipped)" if search["chosen"] == 1 else ""
        seeds.setdefault(words + shipped, []).append(seed)
    return [
        f"{words}: {plural(len(of), 'seed').split()[1]} {', '.join(map(str, of))}"
        for words, of in sorted(seeds.items(), key=lambda one: -len(one[1]))
    ]


def _mean(values: Sequence[float | None], metric: Column) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    part = f" (of {len(known)} of {len(values)})" if len(known) < len(values) else ""
    return f"{metric.format(sum(known) / len(known))}{part}"
