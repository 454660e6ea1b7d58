"""The rows of a run's tables, ``rounds.csv`` and ``clients.csv``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from medfl.chain import PARAMETERS, Part
from medfl.federated.evaluation import Evaluation
from medfl.federated.own_algorithm import hooks_of
from medfl.federated.refused import DivergedError
from medfl.federated.server import FederatedServer
from medfl.federated.tally import Tally
from medfl.metrics.inputs import BRIEF
from medfl.results import columns

if TYPE_CHECKING:
    from medfl.federated.trainer import FederatedTrainer

INTERVAL = ("accuracy_low", "accuracy_high")  # of a client's accuracy, over its patients
# The columns of rounds.csv that an evaluation fills, each with its fold and metric.
MEASURED = [
    (column.name, *column.source.split("."))
    for column in columns.columns_in(columns.ROUNDS)
    if column.source.startswith(("val.", "test."))
]


def empty_row(number: int) -> dict[str, Any]:
    """The row of a round in which nothing was done, as round 0 is."""
    counts = ("participants", "steps", "gradients", "bytes_up", "bytes_down", "bytes_total")
    return {"round": number, **dict.fromkeys((*counts, "evaluated"), 0)}


def trained_row(
    server: FederatedServer,
    download: Mapping[str, Part],
    chosen: int,
    tally: Tally,
    bytes_before: int,
    stepped: bool,
) -> dict[str, Any]:
    """The row of the round under way, which is trained; its evaluation is still to come.

    Args:
        server: after its step.
        download: what it sent to each of the clients.
        chosen: how many they were.
        tally: what their messages came to.
        bytes_before: the traffic of all rounds before.
        stepped: whether the algorithm has made its step, and not given up the round.

    Raises:
        DivergedError: the server's model is not finite.
    """
    number = server.round
    moved = server.vector - download[PARAMETERS].value
    norm = float(torch.linalg.vector_norm(server.shared.spread(moved)))
    if not norm < float("inf"):
        raise DivergedError(f"round {number}: the server's model is not finite")
    travels = server.algorithm.communicates
    up = tally.size if travels else 0
    down = sum(part.size for part in download.values()) * chosen if travels else 0
    up, down = server.chain.traffic(number, up, down)
    algorithm = server.algorithm
    own: dict[str, Any] = dict.fromkeys(column.name for column in algorithm.columns)
    if stepped:
        own |= hooks_of(algorithm).row()
    if algorithm.loss_passes:
        own[columns.FORWARDS.name] = tally.forwards
    return {
        **empty_row(number),
        "learning_rate": server.learning_rate(number),
        "participants": tally.participants,
        "steps": tally.steps,
        "gradients": tally.gradients,
        "train_loss": tally.loss,
        "update_norm": norm,
        "bytes_up": up,
        "bytes_down": down,
        "bytes_total": bytes_before + up + down,
        **own,
        **server.chain.row(tally.notes),
        **({columns.REFUSED.name: len(tally.refused)} if tally.refused else {}),
    }


def evaluated_row(result: Evaluation, worst: Mapping[str, Any]) -> dict[str, Any]:
    """What an evaluation adds to a round's row; ``worst`` has its fairness."""
    row: dict[str, Any] = {"evaluated": 1}
    row |= {name: result.pooled[fold][metric] for name, fold, metric in MEASURED}
    row["worst_client_accuracy"] = worst["worst"]
    row["worst_client_n_test"] = worst["worst_n_test"]
    return row


def client_rows(trainer: FederatedTrainer, number: int, result: Evaluation) -> list[dict[str, Any]]:
    """A row for each client and fold of an evaluation after round ``number``."""
    steps, refused, unseen = trainer.steps_by_client(), trainer.refused, trainer.data.unseen
    return [
        {
            "round": number,
            "client": client,
            "fold": fold,
            **{key: metrics[key] for key in ("n", "patients", *BRIEF, *INTERVAL)},
            "train_samples": len(trainer.data.split.indices(client, "train")),
            "steps": steps[client],
            **({} if client in unseen else _of_parts(trainer, client)),
            **({columns.REFUSED.name: len(refused.get(client, ()))} if refused else {}),
        }
        for client, folds in result.clients.items()
        for fold, metrics in folds.items()
    ]


def _of_parts(trainer: FederatedTrainer, client: int) -> dict[str, Any]:
    """What the algorithm and the links say of a client that takes part."""
    server = trainer.server
    return {**hooks_of(server.algorithm).client_row(client), **server.chain.client_row(client)}
