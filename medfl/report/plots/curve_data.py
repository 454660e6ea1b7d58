"""Learning curves as data, for pictures and for the script of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from medfl.report.curves import mean_curve, measured
from medfl.report.plots.style import ArmStyle, limits
from medfl.report.statistics import Summary
from medfl.results.column import Column
from medfl.results.tables import History

MOST = 150  # points that the page keeps of a curve: more would touch


@dataclass
class Curve:
    """The histories that one line stands for.

    Attributes:
        finished: of the runs in its mean.
        stopped: of those that diverged.
        everyone: the metric for everyone after the last round, where it is not the line's end.
    """

    finished: list[History] = field(default_factory=list)
    stopped: list[History] = field(default_factory=list)
    everyone: Summary | None = None


def curve_data(
    curves: Mapping[str, Curve],
    styles: Mapping[str, ArmStyle],
    labels: Mapping[str, str],
    metric: Column,
    chance: float | None,
    groups: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What the page's script draws: numbers as readers see them, rounds, and megabytes.

    Args:
        curves: by arm.
        styles: of each arm.
        labels: what each arm is called.
        metric: the metric.
        chance: what it is worth where no image is looked at, as readers see it.
        groups: arm → who attacks it; the page shows one group at a time.
    """
    low, high = limits(metric)
    return {
        "y": metric.title,
        "limits": [metric.scale * low, metric.scale * high if high < 10 else None],
        "digits": 1 if metric.unit == "%" else 3,
        "chance": _short(chance),
        "arms": [
            _arm(labels.get(arm, arm), curve, styles[arm], metric, (groups or {}).get(arm, ""))
            for arm, curve in curves.items()
        ],
    }


def _arm(name: str, curve: Curve, style: ArmStyle, metric: Column, group: str) -> dict[str, Any]:
    points = _thin(mean_curve(curve.finished, metric.name))
    stopped = []
    for history in curve.stopped:
        at, values = measured(history, "round", metric.name)
        sent, _ = measured(history, "bytes_total", metric.name)
        kept = _thin(list(zip(at.tolist(), sent.tolist(), values.tolist(), strict=True)))
        stopped.append([[r, _short(b / 1e6), _short(metric.scale * v)] for r, b, v in kept])
    everyone = curve.everyone
    return {
        "name": name,
        "group": group,
        "colour": style.color,
        "dash": "" if style.line == "-" else " ".join(f"{3 * one:g}" for one in style.line[1]),
        "marker": style.marker,
        "points": [
            [
                point.round,
                _short(point.bytes_total / 1e6),
                _short(metric.scale * point.mean),
                _short(None if point.sd is None else metric.scale * point.sd),
            ]
            for point in points
        ],
        "stopped": stopped,
        "everyone": everyone
        and [
            _short(metric.scale * everyone.mean),
            _short(None if everyone.sd is None else metric.scale * everyone.sd),
        ],
    }


def _thin(points: Sequence[Any]) -> list[Any]:
    """At most about ``MOST`` of them, with the first and the last."""
    step = -(-len(points) // MOST) or 1
    kept = list(points[::step])
    return kept if not points or (len(points) - 1) % step == 0 else [*kept, points[-1]]


def _short(value: float | None) -> float | None:
    """Four digits, which is more than a screen shows."""
    return None if value is None else float(f"{value:.4g}")
