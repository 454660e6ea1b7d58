"""The figures of the report by name, in the order of the page. Importing this draws nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medfl.registry import Registry

if TYPE_CHECKING:
    from medfl.report.plots.base import GridFigure

FIGURES: Registry[type[GridFigure]] = Registry(
    "figure",
    package="medfl.report.plots",
    base="medfl.report.plots.base:GridFigure",
    names={
        "evidence": "evidence:ArmsByEvidence",
        "attacked": "attacked:UnderAttack",
        "attacked_worst": "attacked:WorstUnderAttack",
        "backdoor": "attacked:BackdoorSuccess",
        "convergence": "convergence:Convergence",
        "clients": "clients:Clients",
        "privacy": "privacy:AgainstEpsilon",
        "protection": "protection:ProtectionCost",
        "traffic": "tradeoff:Traffic",
        "heterogeneity": "tradeoff:Heterogeneity",
        "confusion": "confusion:Confusion",
    },
)
