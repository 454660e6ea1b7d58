"""Made-up runs of a grid whose one arm is crossed with attacks and rules, in round numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medfl.config import CrossedArm
from medfl.report.grid_results import GridResults
from medfl.results.runs import read_grid_runs

ATTACKED = ("attacked", "attacked_worst", "backdoor")  # the figures of such grids alone
WHY = "it needs 4f + 3 ≤ n"
CROSSED = {
    "fedavg": CrossedArm(base="fedavg", rule="sum"),
    "fedavg+sum+alie-0.2": CrossedArm(base="fedavg", rule="sum", attack="alie", attackers=0.2),
    "fedavg+sum+backdoor-3": CrossedArm(base="fedavg", rule="sum", attack="backdoor", attackers=3),
    "fedavg+krum": CrossedArm(base="fedavg", rule="krum"),
    "fedavg+krum+alie-0.2": CrossedArm(base="fedavg", rule="krum", attack="alie", attackers=0.2),
    "fedavg+krum+backdoor-3": CrossedArm(
        base="fedavg", rule="krum", attack="backdoor", attackers=3, not_defined=WHY
    ),
}
SEEDS = (0, 1, 2, 3)  # as many as two arms need, which are all that meet one attack
# Test accuracy of each seed. Krum costs 20 points, and the attack on the plain sum 10.
FINAL = {
    "fedavg": (0.81, 0.82, 0.83, 0.82),
    "fedavg+sum+alie-0.2": (0.72, 0.71, 0.73, 0.72),
    "fedavg+sum+backdoor-3": (0.82, 0.81, 0.83, 0.82),
    "fedavg+krum": (0.62, 0.61, 0.63, 0.62),
    "fedavg+krum+alie-0.2": (0.56, 0.57, 0.58, 0.57),
}
WORST_OF = {"0": 0.3, "1": 0.5, "2": 0.9}  # accuracy by client, of whom the first attacks


def write_crossed(fake: Any, folder: Path, partitions: tuple[str, ...] = ("iid",)) -> list[Any]:
    """A complete grid; gives its cells."""
    cells = fake.grid(["toy"], partitions, FINAL, SEEDS)
    for cell in cells:
        arm, record = CROSSED[cell.arm], None
        if arm.attack or arm.rule != "sum":
            record = {"attackers": 0, "share": 0.0, "clients": [], "rule": arm.rule}
        if arm.attack:
            record |= {"attackers": 1, "share": 0.2, "clients": [0], "attack": arm.attack}
        if arm.attack == "backdoor":
            record |= {"share": 0.3, "backdoor_success": 0.9 + 0.02 * cell.seed}
        final = FINAL[cell.arm][cell.seed]
        fake.write_run(
            folder, cell, [0.3, final], clients=WORST_OF, patients=1000, robustness=record
        )
    return cells


def crossed_results(cells: list[Any], folder: Path) -> GridResults:
    """Its results."""
    return GridResults(read_grid_runs(cells, folder, partial=True), crossed=CROSSED)
