"""One case of `attack inversion`: a federation of one round, and the attack on its first client."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medfl.errors import MedflError

if TYPE_CHECKING:
    from medfl.config import FederatedConfig
    from medfl.config.attack import InversionSettings
    from medfl.privacy.attacks.cases import Case
    from medfl.privacy.attacks.kept import KeptArrays
    from medfl.store import Store


def case_config(case: Case, dataset: str, settings: InversionSettings) -> FederatedConfig:
    """The run of a case: one round, every client on all of its images at every step."""
    from medfl.config.attack import PROTECTIONS
    from medfl.observed.attacked import run_configs

    run = {
        "federated_learning": {"rounds": 1, "local_steps": settings.local_steps},
        "model": {"name": case.network, "normalization": case.normalization},
        "training": {
            "batch_size": case.batch,
            "learning_rate": settings.learning_rate,
            "device": "cpu",
            "mixed_precision": "off",
        },
    }
    made = run_configs(dataset, [case.arm], PROTECTIONS, settings.clients, settings.seed, run)[
        case.arm
    ]
    if problem := _not_simulated(made, case):
        raise MedflError(
            f"arm {case.arm}: the attack simulates plain SGD on the plain loss, without "
            f"augmentation, and {problem}."
        )
    return made


def _not_simulated(made: FederatedConfig, case: Case) -> str:
    """Why clients train otherwise than the attack simulates them; empty where they do not."""
    from medfl.algorithms import ALGORITHMS

    training, learning = made.training, made.federated_learning
    plain = (training.optimizer, training.momentum, training.weight_decay, training.clip_norm)
    batch = training.batch_size < case.batch
    changed = batch or training.class_balanced_beta or made.augmentation.preset != "none"
    if plain != ("sgd", 0.0, 0.0, None) or changed:
        return (
            "this arm trains otherwise: attack one without `training` and `augmentation` of its own"
        )
    if made.chain.attackers:
        return "some clients of this arm are attackers: attack one without `chain.attackers`"
    algorithm, steps = ALGORITHMS.load(learning.algorithm), learning.local_steps or 1
    simulated = algorithm.plain_steps(learning.algorithm_params)
    if not simulated:
        return f"{learning.algorithm} trains otherwise: attack an arm of another algorithm"
    if steps > simulated:
        return (
            f"a client of {learning.algorithm} trains otherwise after its first step: attack it "
            "with --local-steps 1"
        )
    return ""


def attack_case(
    case: Case,
    config: FederatedConfig,
    store: Store,
    settings: InversionSettings,
    victim: int,
    folder: Path,
    told: Any,
) -> KeptArrays:
    """One attack on one client; its arrays lack ``psnr`` where the server saw nothing."""

    def make() -> KeptArrays:
        import torch
        from torch.nn.functional import cross_entropy

        from medfl.observed.attacked import federate
        from medfl.privacy.attacks.inversion import reconstruct
        from medfl.privacy.attacks.simulated import LocalTraining
        from medfl.privacy.attacks.words import NOTHING
        from medfl.streams import stream_seed, torch_stream

        held = held_by(store, settings, victim, case.batch)
        seed = stream_seed(settings.seed, "attack", victim) % 2**31
        federation = federate(store, held, config, seed)
        found = reconstruct(
            case,
            federation.server.model,
            federation.server.shared,
            federation.seen,
            torch.stack([federation.inputs(rows) for rows in held]),
            torch.stack([federation.data.labels[torch.from_numpy(rows)] for rows in held]),
            LocalTraining(
                config.federated_learning.local_steps or 1,
                config.training.learning_rate,
                cross_entropy,
            ),
            settings,
            torch_stream(settings.seed, "guess", victim),
            told,
        )
        if found is None:
            return {"seen": np.array(NOTHING)}
        return {
            "original": np.stack([one.original for one in found.images]),
            "found": np.stack([one.found for one in found.images]),
            "psnr": np.array([one.psnr for one in found.images]),
            "ssim": np.array([one.ssim for one in found.images]),
            "objective": np.array(found.objective),
            "seen": np.array(found.seen),
        }

    word = f"{case.figure}_{case.name}_{victim}"
    from medfl.observed.attacked import kept_parts

    key = settings.model_dump(exclude={"images"})
    return kept_parts(folder / "parts", config, store, key).get(word, make)


def held_by(
    store: Store, settings: InversionSettings, victim: int, batch: int
) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """Store rows of each client; the victim's first image is the same in every case."""
    order = np.random.default_rng([settings.seed, len(store)]).permutation(len(store))
    most = max(settings.batches) if settings.batches else batch
    block = order[victim * settings.clients * max(most, batch) :]
    return [block[k :: settings.clients][:batch] for k in range(settings.clients)]
