"""What a run leaves behind: its tables, its model, its predictions and its record."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from medfl.disclosure.record import (
    OF_TESTS,
    record_to_publish,
    round_to_publish,
    row_to_publish,
)
from medfl.disclosure.split import HiddenCells
from medfl.federated.evaluation import Evaluation
from medfl.federated.kept import keep_predictions
from medfl.federated.log import log, progress_line
from medfl.federated.own_algorithm import hooks_of
from medfl.federated.provenance import ended_stretches
from medfl.federated.trainer import FederatedTrainer
from medfl.federated.unseen import unseen_by
from medfl.federated.usage import peak_memory, processor_seconds
from medfl.files import OWN_HASH, atomic_path, own_hash, write_csv, write_json
from medfl.metrics.federation import to_target
from medfl.results import paths
from medfl.results.columns import BACKDOOR, CLIENTS, PRIVACY_UNIT, REFUSED, names_in
from medfl.results.intact import digests
from medfl.results.record import as_dict
from medfl.results.schema import SCHEMA, Record
from medfl.robustness.record import robustness_of

# A run that took longer is written onto the disk itself, so that no loss of power costs it.
DURABLE_SECONDS = 5.0
SHOWN_SECONDS = 5.0  # how old the table of a run's rounds gets while it trains


def write_record(
    folder: Path,
    trainer: FederatedTrainer,
    heterogeneity: dict[str, Any],
    provenance: dict[str, Any],
    hidden: HiddenCells | None = None,
    before: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Write a finished run's files into ``folder``; metrics.json, which marks it as done, last.

    Args:
        folder: the run's.
        trainer: the run, finished.
        heterogeneity: how unlike its clients are.
        provenance: where its numbers come from.
        hidden: what is not published of its split; no file but the predictions has it.
        before: is called before metrics.json is written, when own code has been asked all.

    Returns:
        The content of metrics.json.
    """
    durable = trainer.seconds > DURABLE_SECONDS
    equal_steps = trainer.config.federated_learning.local_steps is not None
    write_rounds(folder, trainer, hidden, durable)
    clients = trainer.client_history
    if hidden is not None:
        measured = frozenset(names_in(CLIENTS))
        clients = [row_to_publish(row, hidden, measured) for row in clients]
    names = [column.name for column in trainer.client_columns]
    rows = [_ends(trainer) | row for row in clients]
    write_csv(folder / paths.CLIENTS, names, rows, durable=durable)
    write_model(folder / paths.MODEL, trainer, durable)
    metrics = run_metrics(trainer) | {
        "pooled": trainer.server.algorithm.pooled,
        "predictions": keep_predictions(folder / paths.PREDICTIONS, trainer, durable),
        "heterogeneity": heterogeneity,
    }
    stretches = ended_stretches(trainer.stretches, metrics["rounds"])
    metrics["provenance"] = provenance | {"stretches": stretches}
    if hidden is not None:
        metrics = record_to_publish(metrics, hidden, equal_steps)
    metrics["files"] = digests(folder)
    content = as_dict(Record.model_validate(metrics))
    content[OWN_HASH] = own_hash(content)
    before()
    write_json(folder / paths.RECORD, content, durable=durable)
    return content


def write_rounds(
    folder: Path, trainer: FederatedTrainer, hidden: HiddenCells | None, durable: bool = False
) -> None:
    """Write the table of a run's rounds, of those that are trained."""
    rounds = trainer.history
    if hidden is not None:
        equal_steps = trainer.config.federated_learning.local_steps is not None
        rounds = [round_to_publish(row, hidden, equal_steps) for row in rounds]
    names = [column.name for column in trainer.columns]
    rows = [_ends(trainer) | row for row in rounds]
    write_csv(folder / paths.ROUNDS, names, rows, durable=durable)


def _ends(trainer: FederatedTrainer) -> dict[str, Any]:
    """The columns at the end of tables, of rows from before the first update that was refused."""
    ends: dict[str, Any] = {REFUSED.name: 0} if trainer.refused else {}
    if unit := trainer.server.chain.privacy().get("unit"):
        ends[PRIVACY_UNIT.name] = unit
    return ends


class RoundsSoFar:
    """What a run shows of itself while it trains: a line of its log, and the table of its rounds.

    Args:
        folder: the run's.
        trainer: the run.
        hidden: what is not published of its split.
    """

    def __init__(self, folder: Path, trainer: FederatedTrainer, hidden: HiddenCells | None) -> None:
        self.folder, self.trainer, self.hidden = folder, trainer, hidden
        self._written = time.monotonic()

    def __call__(self, row: dict[str, Any]) -> None:
        """Say that a round has ended."""
        rounds = self.trainer.config.federated_learning.rounds
        shown = row
        if self.hidden is not None and self.hidden.tests:
            shown = {name: one for name, one in row.items() if not name.startswith(OF_TESTS)}
        log.info(progress_line(shown, rounds, self.trainer.primary))
        # The whole table each time, as its columns may grow: not after each of many short rounds.
        if time.monotonic() - self._written >= SHOWN_SECONDS:
            write_rounds(self.folder, self.trainer, self.hidden)
            self._written = time.monotonic()


def write_model(path: Path, trainer: FederatedTrainer, durable: bool = False) -> None:
    """Save the server's model: each parameter and buffer under its name in the module."""
    from safetensors.torch import save

    server = trainer.server
    server.load_judged(server.model)
    tensors = {name: value.cpu().clone() for name, value in server.model.named_vector().items()}
    with atomic_path(path, durable=durable) as temporary:
        temporary.write_bytes(save(tensors))


def run_metrics(trainer: FederatedTrainer) -> dict[str, Any]:
    """All results of a run, as they stand in metrics.json."""
    config, server = trainer.config, trainer.server
    learning = config.federated_learning
    last = _moment(trainer, trainer.last)
    same = trainer.best and trainer.last and trainer.best[0] == trainer.last[0]
    best = last if same else _moment(trainer, trainer.best)
    tests = trainer.evaluator.clients_in_full(trainer.last[1]) if trainer.last else {}
    trained = [row for row in trainer.history if row["round"] > 0]
    up = sum(row["bytes_up"] for row in trained)
    down = sum(row["bytes_down"] for row in trained)
    refused = {str(client): rounds for client, rounds in trainer.refused.items()}
    robustness = robustness_of(server)
    if trainer.history and BACKDOOR.name in trainer.history[-1]:
        robustness[BACKDOOR.name] = trainer.history[-1][BACKDOOR.name]
    rounds_to, bytes_to = to_target(trainer.history, learning.target, f"val_{trainer.primary}")
    return {
        "schema": SCHEMA,
        "dataset": config.dataset,
        "dataset_title": trainer.data.info.title,
        "partition": config.partition,
        "arm": config.arm,
        "algorithm": learning.algorithm,
        "seed": config.seed,
        "status": trainer.status,
        "reason": trainer.reason or None,
        "evaluated": server.algorithm.evaluated,
        "everyone_by": everyone_by(trainer),
        **({"unseen_by": unseen_by(server)} if trainer.data.unseen else {}),
        "primary": trainer.primary,
        "statistics": server.algorithm.statistics
        if len(server.model.buffers)
        else "the model has none",
        "objective": server.objective,
        "work": str(server.work),
        "extra_work": hooks_of(server.algorithm).extra_work() or None,
        "rounds": len(trained),
        "steps": None if server.chain.hides_steps else sum(row["steps"] for row in trained),
        "num_clients": len(trainer.data.clients),
        "model": config.model.name,
        "parameters": len(server.model.vector),
        "normalization": {"mean": list(trainer.data.mean), "std": list(trainer.data.std)},
        "last": last,
        "best": best,
        "without_images": trainer.evaluator.without_images(),
        "clients": _clients(trainer, tests),
        **({"refused": refused} if refused else {}),
        "fairness": trainer.fairness(trainer.last[1]) if trainer.last else {},
        "communication": {
            "bytes_up": up,
            "bytes_down": down,
            "bytes_per_round": (up + down) // max(1, len(trained)),
            "target": learning.target,
            "rounds_to_target": rounds_to,
            "bytes_to_target": bytes_to,
        },
        "chain": server.chain.record(),
        **({"robustness": robustness} if robustness else {}),
        "privacy": server.chain.privacy(),
        "timing": {
            "seconds": trainer.seconds,
            "seconds_per_round": trainer.seconds / max(1, len(trained)),
            "processor_seconds": processor_seconds(),
            "peak_memory": peak_memory(),
        },
    }


def _moment(
    trainer: FederatedTrainer, moment: tuple[int, Evaluation] | None
) -> dict[str, Any] | None:
    if moment is None:
        return None
    number, result = moment[0], trainer.evaluator.in_full(moment[1])
    return {"round": number, **result.pooled, "everyone": result.everyone}


def everyone_by(trainer: FederatedTrainer) -> str:
    """Whose model answers for everyone: the server's, or each client's where it has none."""
    server = trainer.server
    whole = server.algorithm.evaluated == "global" or server.complete
    return "server" if whole else "clients"


def _clients(trainer: FederatedTrainer, tests: dict[int, dict[str, Any]]) -> dict[str, Any]:
    steps = trainer.steps_by_client()
    split = trainer.data.split
    return {
        str(client): {
            "n_train": len(split.indices(client, "train")),
            "n_test": len(split.indices(client, "test")),
            "test_patients": tests[client]["patients"] if client in tests else None,
            "steps": steps[client],
            "test": tests.get(client),
        }
        for client in sorted([*trainer.data.clients, *trainer.data.unseen])
    }
