"""Draws how runs converged, for a person's own notebook; a grid's report draws without this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from medfl.config import did_you_mean
from medfl.errors import MedflError
from medfl.report.curves import as_history
from medfl.report.plots.convergence import View, draw
from medfl.report.plots.curve_data import Curve
from medfl.report.plots.curve_lines import DRAWN
from medfl.report.plots.style import arm_styles
from medfl.results import paths
from medfl.results.columns import ACCURACY, BALANCED, judged
from medfl.results.frames import read_rounds
from medfl.results.intact import check_file
from medfl.results.record import read_record
from medfl.results.schema import COMPLETED


def plot_convergence(
    source: str | Path | Sequence[str | Path] | Sequence[Mapping[str, Any]] | pd.DataFrame,
    *,
    metric: str | None = None,
    x: View = "rounds",
    title: str = "",
    path: str | Path | None = None,
) -> Figure:
    """Draw how runs converged.

    Args:
        source: a run folder; several of them (runs that differ only in their seed become one mean
            line with a band of ± one standard deviation); or a history in memory, as the rows of
            ``rounds.csv``, also as a table of pandas.
        metric: a column of ``rounds.csv``; by default the primary metric on test samples, for a
            history in memory balanced accuracy.
        x: over ``rounds``, over ``bytes`` (logarithmic), or ``both`` side by side.
        title: a heading.
        path: also save it here (the ending decides the format).

    Returns:
        The figure.

    Raises:
        MedflError: for an unknown metric or view, or a folder that is no finished run.
    """
    if metric is None:
        metric = _primary(source)
    if metric not in DRAWN:
        raise MedflError(f"unknown metric `{metric}`{did_you_mean(metric, DRAWN)}")
    if x not in ("rounds", "bytes", "both"):
        raise MedflError(f"unknown view `{x}`{did_you_mean(x, ('rounds', 'bytes', 'both'))}")
    curves = _gather(source)
    figure = draw(curves, arm_styles(list(curves)), metric=metric, x=x, title=title)
    if path is not None:
        figure.savefig(path)
    return figure


def _primary(source: Any) -> str:
    """The primary metric of the first run; of a history balanced accuracy, if it has that."""
    if isinstance(source, str | Path):
        source = [source]
    if isinstance(source, pd.DataFrame):
        known = set(source.columns)
    else:
        items = list(source)
        if items and isinstance(items[0], str | Path):
            record = read_record(Path(items[0], paths.RECORD))
            return judged(record.primary or BALANCED.metric).name
        known = {name for item in items for name in item}
    return BALANCED.name if BALANCED.name in known else ACCURACY.name


def _gather(source: Any) -> dict[str, Curve]:
    """The curves by label, from any of the forms that ``plot_convergence`` accepts."""
    if isinstance(source, pd.DataFrame):
        return {"this run": Curve([as_history(source)])}
    if isinstance(source, str | Path):
        source = [source]
    items = list(source)
    if not items:
        raise MedflError("nothing to plot: give a run folder, several, or a history.")
    if all(isinstance(item, Mapping) for item in items):
        return {"this run": Curve([as_history(pd.DataFrame(items))])}
    records = [read_record(Path(item, paths.RECORD)) for item in items]
    keys = [
        key
        for key in ("dataset", "partition", "arm")
        if key == "arm" or len({getattr(record, key) for record in records}) > 1
    ]
    curves: dict[str, Curve] = {}
    for item, record in zip(items, records, strict=True):
        curve = curves.setdefault(", ".join(getattr(record, key) for key in keys), Curve())
        history = as_history(read_rounds(item))
        check_file(Path(item), paths.ROUNDS, record)
        (curve.finished if record.status == COMPLETED else curve.stopped).append(history)
    return curves
