"""The predictions that a run keeps beside its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from medfl.federated.evaluation import JUDGED_FOLDS, Evaluation, Evaluator
from medfl.federated.trainer import FederatedTrainer
from medfl.metrics.jackknife import left_out
from medfl.results.predictions import ALL, OF_ALL, OWN, ModelPredictions, write_predictions


def keep_predictions(
    path: Path, trainer: FederatedTrainer, durable: bool = False
) -> dict[str, int] | None:
    """Write the predictions of the last and the best round, if they are to be kept.

    Returns:
        The number of ``rows`` and the ``size`` in bytes of the file; None if there is none.
    """
    if not trainer.config.keep.predictions:
        return None
    evaluator, info = trainer.evaluator, trainer.data.info
    moments = {"last": trainer.last, "best": trainer.best}
    found = {name: moment[1] for name, moment in moments.items() if moment}
    samples = judged_samples(evaluator)
    blocks = _blocks(evaluator, found, samples)
    left = _left_out(trainer, samples) if trainer.last else None
    rows = write_predictions(path, samples, blocks, info.classes, info.task, left, durable)
    return {"rows": rows, "size": path.stat().st_size}


def _left_out(trainer: FederatedTrainer, samples: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """How much the metrics after the last round owe to each patient of the test samples."""
    assert trainer.last
    evaluation, tests = trainer.last[1], samples["fold"] == "test"
    return left_out(
        samples["label"][tests],
        samples["group"][tests],
        evaluation.said.cpu().numpy()[tests],
        [said.cpu().numpy() for said in evaluation.said_of_all.values()],
        trainer.data.info.task,
    )


def judged_samples(evaluator: Evaluator) -> dict[str, Any]:
    """Describe the judged samples, each once, sorted by client and fold: column → (S,)."""
    clients, data = list(evaluator.rows_of), evaluator.data
    rows = evaluator.rows(clients)
    chosen = torch.cat(rows).cpu().numpy()
    lengths = [len(part) for part in rows]
    return {
        "fold": np.repeat([fold for _ in clients for fold in JUDGED_FOLDS], lengths),
        "sample": data.split.samples[chosen],
        "group": data.groups[chosen],
        "client": data.split.clients[chosen],
        "label": evaluator.labels[chosen],
    }


def _blocks(
    evaluator: Evaluator, moments: Mapping[str, Evaluation], samples: Mapping[str, NDArray[Any]]
) -> list[ModelPredictions]:
    """The predictions of each moment by view and owner, as the file holds them."""
    owners = [ALL]
    if evaluator.server.algorithm.evaluated != "global":
        owners = [client.id for client in evaluator.clients]
    found, tests = [], np.flatnonzero(samples["fold"] == "test")
    for moment, evaluation in moments.items():
        said = evaluation.said.cpu().numpy()
        for owner in owners:
            held = list(evaluator.rows_of) if owner == ALL else evaluator.held_by(owner)
            rows = np.flatnonzero(np.isin(samples["client"], held))
            found.append(ModelPredictions(OWN, owner, moment, rows, said[rows]))
        if owners != [ALL] and evaluator.data.unseen:
            rows = np.flatnonzero(np.isin(samples["client"], evaluator.data.unseen))
            found.append(ModelPredictions(OWN, ALL, moment, rows, said[rows]))
        for owner, of_all in evaluation.said_of_all.items():
            found.append(ModelPredictions(OF_ALL, owner, moment, tests, of_all.cpu().numpy()))
    return found
