"""Federations for `medfl audit`: canaries in the engine's own clients, links and server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medfl.config import FederatedConfig
from medfl.config.audit import BOUND, CANARY_NETWORK, AuditSettings
from medfl.errors import MedflError
from medfl.federated import FederatedClient, FederatedData, FederatedServer, FederatedTrainer
from medfl.partition import Split
from medfl.privacy.audit.canaries import Canaries, CanaryStore
from medfl.privacy.audit.poisson import PoissonTests, poisson_tests
from medfl.privacy.audit.refusals import check_audit
from medfl.privacy.audit.released import Released
from medfl.privacy.hospital.refusals import MASKS

OnMessage = Callable[[int], object]


@dataclass(frozen=True)
class AuditRun:
    """A federation with canaries that has run to its end.

    Attributes:
        canaries: who they are.
        scores: (m,), higher where a canary seems to have been in.
        privacy: what the run promises, as its record says.
        draws: tests of how units were sampled; None where nothing is drawn by chance.
    """

    canaries: Canaries
    scores: NDArray[np.float64]
    privacy: dict[str, Any]
    draws: PoissonTests | None


def audit_config(settings: AuditSettings) -> FederatedConfig:
    """The run of an audit: FedAvg with the link of the unit, which finds the noise for ε itself."""
    promised: dict[str, Any] = {
        "target_epsilon": settings.epsilon,
        "target_delta": settings.delta,
        "accountant": settings.accountant,
        "max_grad_norm": BOUND,
    }
    batch, links = 1, {f"dp_{settings.unit}": promised}
    if settings.hospitals:
        promised |= {"sampling_rate": settings.rate, "noise": settings.noise}
        if settings.noise == "distributed":
            # With everyone there is no more noise in the sum than is accounted for.
            links[MASKS] = {"threshold": settings.count, "ring_bits": 64}
    else:
        # Its size is rounded to this number, so it is this number, however many canaries are in.
        size = settings.drawn_from
        promised["size_step"] = size
        batch = max(1, round(settings.rate * size))
    return FederatedConfig.model_validate(
        {
            "arm": f"audit-{settings.unit}",
            "seed": settings.seed,
            "federated_learning": {
                "algorithm": "fedavg",
                "num_clients": settings.homes,
                "rounds": settings.rounds,
                "local_steps": settings.steps,
                "evaluate_every": settings.rounds,
                "weighting": "uniform",
            },
            "model": {"name": CANARY_NETWORK},
            "training": {
                "batch_size": batch,
                "learning_rate": 1.0,
                "device": "cpu",
                "mixed_precision": "off",
            },
            "chain": {"links": links},
        }
    )


def audit_run(settings: AuditSettings, told: OnMessage = bool) -> AuditRun:
    """Run a federation with canaries, and score each of them by what was released.

    Args:
        settings: of the audit.
        told: is called with 1 for each client and round.

    Raises:
        MedflError: the audit could show nothing, or no noise keeps to ε.
    """
    check_audit(settings)
    if settings.hospitals:
        canaries = Canaries.of_hospitals(settings.count, settings.seed)
        store = CanaryStore(canaries, black=True)
    else:
        canaries = Canaries.draw(settings.count, settings.homes, settings.seed)
        store = CanaryStore(canaries, settings.images_each)
    server, seen = watch_run(audit_config(settings), store, told, each=not settings.hospitals)
    scores = score_canaries(seen.all_updates(), canaries)
    return AuditRun(canaries, scores, server.chain.privacy(), _draws(settings, server, seen, store))


def watch_run(
    config: FederatedConfig,
    store: CanaryStore,
    told: OnMessage,
    each: bool,
    **parts: Any,
) -> tuple[FederatedServer, Released]:
    """Train a federation on canaries; give its server and what an attacker has seen.

    Args:
        config: the run.
        store: the canaries' images, with their clients.
        told: is called with 1 for each client and round.
        each: whether the attacker sees each client's message, or the mean alone.
        **parts: as of ``open_run``.
    """
    server, clients = open_run(config, store, **parts)
    seen = Released(told, each)
    server.chain.links.append(seen)
    trainer = FederatedTrainer(config, server, clients)
    trainer.train()
    if trainer.status != "completed":
        raise MedflError(f"the audited run {trainer.status}: {trainer.reason}.")
    return server, seen


def open_run(
    config: FederatedConfig, store: CanaryStore, *, masks: bool = False, **parts: Any
) -> tuple[FederatedServer, list[FederatedClient]]:
    """The server and clients of a federation on canaries.

    Args:
        config: the run.
        store: the canaries' images, with their clients.
        masks: whether secure aggregation stays. It changes no sum, and hides nothing that an audit
            looks at; of thousands of hospitals it would take hours.
        **parts: a network or an algorithm of one's own, as the server takes them.
    """
    folds = np.full(len(store), "train", "U5")
    folds[-2:] = ["val", "test"]
    split = Split(store.ids, store.homes, folds, "iid", config.seed, int(store.homes.max()) + 1)
    data = FederatedData(store, split, images="memory", public_pixels=True)
    server = FederatedServer(config, data, **parts)
    if not masks:
        links = server.chain.links
        links[:] = [link for link in links if link.name != MASKS]
    return server, [FederatedClient(client, data) for client in data.clients]


def score_canaries(updates: NDArray[np.float64], canaries: Canaries) -> NDArray[np.float64]:
    """How far the weight of each canary's pixel moved, in the direction of its label, (m,).

    From a client's own update the mean of the others' is taken. What they share by mistake, such
    as noise that was drawn once for all of them, falls out of the difference.

    Args:
        updates: (clients, k), of each client; or (1, k), of all together.
        canaries: who they are.
    """
    seen = len(updates)
    own = updates[canaries.homes if seen > 1 else 0, canaries.pixels]
    if seen > 1:
        own = own - (updates.sum(axis=0)[canaries.pixels] - own) / (seen - 1)
    found: NDArray[np.float64] = own * canaries.signs
    return found


def _draws(
    settings: AuditSettings, server: FederatedServer, seen: Released, store: CanaryStore
) -> PoissonTests | None:
    """Test the samples of units against the rate that is accounted for."""
    if settings.hospitals:
        if settings.rate == 1.0:
            return None
        everyone = np.arange(settings.count)
        drawn = np.stack([np.isin(everyone, some) for some in seen.participants])
        return poisson_tests([(drawn, settings.rate)])
    accounted = server.chain.record()[f"dp_{settings.unit}"]["clients"]
    draws = []
    for client, steps in seen.drawn.items():
        held = store.groups[:-2][store.homes[:-2] == client]  # the last two are not trained on
        units = np.unique(held)
        drawn = np.stack([np.isin(units, store.groups[rows]) for rows in steps])
        draws.append((drawn, accounted[str(client)]["sampling_rate"]))
    return poisson_tests(draws)
