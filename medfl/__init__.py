"""medfl: a reproducible benchmark of federated learning on medical images.

A public name is imported when it is first used, so that what needs no PyTorch does not load it.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # `typing` would take as long as all else that a job's own process imports
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.2.0.dev0"

_HOMES = {
    "CustomMedicalDataset": "medfl.datasets.described.custom",
    "CustomSample": "medfl.datasets.described.custom",
    "DPFederatedLearning": "medfl.federated",
    "DicomPreprocessor": "medfl.imaging.dicom",
    "FederatedAlgorithm": "medfl.algorithms",
    "FederatedClient": "medfl.federated",
    "FederatedConfig": "medfl.config",
    "FederatedData": "medfl.federated",
    "FederatedServer": "medfl.federated",
    "FederatedTrainer": "medfl.federated",
    "MedflError": "medfl.errors",
    "MedicalDataLoader": "medfl.loader",
    "SecureAggregator": "medfl.privacy.secure_aggregation",
    "plot_convergence": "medfl.report.plots.notebook",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
