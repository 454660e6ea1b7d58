"""Golden files: what every algorithm, model and partition gives, number by number.

tests/test_golden.py runs the same again and compares; `make golden` (tests/renew.py), and nothing
else, writes the files in tests/golden.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from federations import ALGORITHMS, Grouped, Normed, federation, small_store, split_of
from torch import nn

from medfl.chain import LINKS, RULES
from medfl.config import FederatedConfig
from medfl.federated import FederatedClient, FederatedData, FederatedServer, FederatedTrainer
from medfl.federated.outcome import run_metrics
from medfl.models import MODELS
from medfl.partition import client_transform, make_split, parse_partition
from medfl.partition.base import SiteName
from medfl.partition.registry import PARTITIONS
from medfl.robustness.attacks.base import Attack

FOLDER = Path(__file__).parent / "golden"
# Rounding differs between processors and builds of PyTorch; a few rounds carry it this far.
ELSEWHERE = 1e-9
# Each takes five seconds or more; what they run is run by others too, on smaller networks.
SLOW = ("engine-deep-volumes", "model-densenet121", "model-resnet50")


class Pooled(nn.Sequential):
    """A network that takes images of any size, as a sliding window needs."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__(
            nn.Conv2d(1, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, classes),
        )


# Unequal clients of whom three of four take part, so that clients' state outlives absent rounds.
SETTINGS: dict[str, Any] = {
    "sizes": (5, 16, 11, 8),
    "model": Normed,
    "rounds": 4,
    "clients_per_round": 3,
    "momentum": 0.5,
    "local_epochs": 2,
    "evaluate_every": 2,
    "target": 0.4,
}
# Settings of the engine that the federations above do not touch.
ENGINE: dict[str, dict[str, Any]] = {
    "adam": {
        "optimizer": "adamw",
        "weight_decay": 0.01,
        "learning_rate": 0.01,
        "lr_schedule": "cosine",
        "warmup_rounds": 1,
        "clip_norm": 0.5,
    },
    "uniform": {
        "weighting": "uniform",
        "local_epochs": None,
        "local_steps": 5,
        "weight_decay": 0.01,
        "lr_schedule": "step",
    },
    "weighted-scaffold": {
        "algorithm": "scaffold",
        "params": {"control_weights": "federation", "server_learning_rate": 0.5},
    },
    "equal-scaffold": {"algorithm": "scaffold", "params": {"control_weights": "equal"}},
    "pooled-steps": {"algorithm": "centralized", "local_epochs": None, "local_steps": 5},
    "falling-finetune": {"algorithm": "finetune", "lr_schedule": "cosine"},
    "default-epochs": {"local_epochs": None},
    "class-balanced": {"class_balanced_beta": 0.9},
    "augmented": {"augmentation": {"preset": "xray", "mixup": 0.4}},
    "patches": {"store": small_store(40 + 32, size=12), "patch": 8, "model": Pooled},
    # Budgets end: in round 5 three hospitals are left, in round 6 too few for masks.
    "distributed-noise": {
        "algorithm": "scaffold",
        "chain": {
            "links": {
                "dp_hospital": {
                    "noise_multiplier": 1.0,
                    "target_epsilon": 11.0,
                    "max_grad_norm": 0.5,
                    "noise": "distributed",
                    "max_noise_ratio": 99.0,
                },
                "secure_aggregation": {},
            }
        },
        "model": Grouped,
        "weighting": "uniform",
        "local_epochs": None,
        "local_steps": 3,
        "sizes": (5, 16, 11, 8, 7, 6),
        "clients_per_round": 5,
        "rounds": 6,
    },
}


def _varied(images: tuple[int, ...] = (1, 32, 32), labels: Any = None, **info: Any) -> Any:
    """A store of 18 samples that is in some way unlike ``small_store``."""
    store = small_store(18, size=32)
    random = np.random.default_rng(7)
    store.images = random.integers(0, 256, (18, *images), dtype=np.uint8)
    store.labels = store.labels if labels is None else labels(store.labels)
    channels = images[0]
    statistics = {"mean": (0.45, 0.5, 0.55)[:channels], "std": (0.25, 0.2, 0.3)[:channels]}
    store.info = replace(store.info, **(statistics | info))
    return store


# Parameters under which a link or rule is felt, where it is not felt under its defaults.
LINK: dict[str, dict[str, Any]] = {
    "clip": {"norm": 0.2},
    "quantize": {"bits": 4},
    "dp_image": {"noise_multiplier": 1.0, "target_epsilon": 9.0},
    "dp_patient": {"target_epsilon": 8.0, "views": 2, "max_samples_at_once": 3},
    "dp_hospital": {
        "noise_multiplier": 1.0,
        "max_grad_norm": 0.5,
        "adaptive": {"bit_noise": 0.25},
        "max_noise_ratio": 99.0,
    },
    "random_labels": {"share": 0.8},
    "backdoor": {"target": 2, "size": 2},
    "stops": {"last": 2},
    "alie": {"z": 1.0},
    "adaptive_alie": {"tries": 4},
    "adaptive_ipm": {"tries": 4},
    "fltrust": {"root_patients": 6},
    "multi_krum": {"selected": 3},
    "bulyan": {"pre_aggregation": "nnm"},
    "centred_clipping": {"start": "median"},
    "norm_bounding": {"pre_aggregation": "bucketing"},
}
# Settings that a link or rule needs in place of the usual ones.
_PRIVATE: dict[str, Any] = {"model": Grouped, "local_epochs": None, "local_steps": 3}
_MANY: dict[str, Any] = {"sizes": (5, 16, 11, 8, 7, 6, 9, 10), "clients_per_round": 7}
NEEDED: dict[str, dict[str, Any]] = {
    "dp_image": _PRIVATE,
    "dp_patient": {**_PRIVATE, "augmentation": {"preset": "xray"}},  # which views need
    "dp_hospital": {**_PRIVATE, "weighting": "uniform"},
    **dict.fromkeys(("trimmed_mean", "krum", "multi_krum", "bulyan"), _MANY),
}
# The algorithm of those that refuse SCAFFOLD.
STATELESS = {"fltrust": "fedavgm"}
# Settings of the engine under which built-in networks train: the store, and keys of the run.
BUILT_IN: dict[str, tuple[Any, dict[str, Any]]] = {
    "volumes": (_varied((1, 8, 8, 8)), {"model": "cnn", "augmentation": {"preset": "ct"}}),
    "deep-volumes": (_varied((1, 16, 16, 16)), {"model": "resnet18"}),
    "multilabel": (
        _varied(labels=lambda one: np.eye(3, dtype=np.int64)[one] | (1, 0, 0), task="multilabel"),
        {"model": "cnn", "normalization": "group"},
    ),
    "modalities": (
        _varied((2, 32, 32), branches=(1, 1)),
        {
            "model": "cnn",
            "partition": "noise-0.1",
            "fusion": "late",
            "augmentation": {"preset": "mri", "cutmix": 1.0},
        },
    ),
    "colour": (
        _varied((3, 32, 32), modality="XC"),
        {
            "model": "cnn",
            "partition": "scanner-0.5",
            "augmentation": {"preset": "histology", "strength": "strong"},
        },
    ),
    "speckle": (_varied(), {"model": "mlp", "augmentation": {"preset": "ultrasound"}}),
}


def names() -> list[str]:
    """Every golden file, without its ending."""
    partitions = [word for word in PARTITIONS if word != "custom"]  # it gives what a person writes
    kinds = {
        "algorithm": ALGORITHMS,
        "engine": [*ENGINE, *BUILT_IN],
        "link": LINKS,
        "model": MODELS,
        "partition": partitions,
        "rule": [word for word in RULES if word != "sum"],  # which every other federation uses
    }
    return [f"{kind}-{word}" for kind, words in kinds.items() for word in words]


def covers(name: str) -> list[str]:
    """What takes part in a golden file and has a results version; first what the file is about."""
    kind, _, word = name.partition("-")
    if kind == "partition":
        return [f"partition {word}", "split"]
    if kind == "model":
        return [f"model {word}", "engine", "algorithm fedavg"]
    if kind in ("link", "rule"):
        return [f"{kind} {word}", "engine", f"algorithm {STATELESS.get(word, 'scaffold')}"]
    if kind == "algorithm":
        return [f"algorithm {word.split('-')[0]}", "engine"]
    if word in BUILT_IN:
        settings = BUILT_IN[word][1]
        partition = settings.get("partition", "iid").split("-")[0]
        return [
            "engine",
            "algorithm fedavg",
            f"model {settings['model']}",
            f"partition {partition}",
        ]
    links = [f"link {link}" for link in ENGINE[word].get("chain", {}).get("links", {})]
    named = ENGINE[word].get("algorithm")
    shared = [f"algorithm {named}", "engine"] if named else ["engine", "algorithm fedavg"]
    return links + shared


def run(name: str) -> dict[str, Any]:
    """Train one golden federation, or make golden splits, and give all numbers."""
    kind, _, word = name.partition("-")
    if kind == "partition":
        return _partition(word)
    if kind == "model":
        trainer = _built_in(small_store(18, size=32), {"model": word})
    elif word in BUILT_IN:
        trainer = _built_in(*BUILT_IN[word])
    elif kind == "engine":
        trainer = federation(**(SETTINGS | ENGINE[word]))
    elif kind == "link":
        settings = SETTINGS | NEEDED.get(word, {})
        attackers = int(issubclass(LINKS.load(word), Attack))
        chain = {"links": {word: LINK.get(word, {})}, "attackers": attackers}
        trainer = federation("scaffold", chain=chain, **settings)
    elif kind == "rule":
        chain = {"rule": word, "rule_params": LINK.get(word, {}), "attackers": int(word in NEEDED)}
        settings = SETTINGS | NEEDED.get(word, {})
        trainer = federation(STATELESS.get(word, "scaffold"), chain=chain, **settings)
    else:
        trainer = federation(word.split("-")[0], ALGORITHMS[word], **SETTINGS)
    torch.set_num_threads(1)
    trainer.train()
    assert trainer.status == "completed"
    server = trainer.server
    server.load(server.model, server.vector, server.buffers)
    tensors = {"vector": server.model.vector, "buffers": server.model.buffers}
    for key, value in server.algorithm.state.items():
        tensors[f"server.{key}"] = value
    for client in trainer.clients:
        for key, value in sorted(client.state.items()):
            tensors[f"client{client.id}.{key}"] = value
    metrics = run_metrics(trainer)
    del metrics["timing"], metrics["schema"]  # neither is a result
    return {
        "weights": {key: _numbers(value) for key, value in tensors.items()},
        "rounds": [_timeless(row) for row in trainer.history],
        "clients": [_timeless(row) for row in trainer.client_history],
        "metrics": json.loads(json.dumps(metrics)),
    }


def _built_in(store: Any, settings: Mapping[str, Any]) -> FederatedTrainer:
    """Two clients train a built-in network for one step each, in double precision."""
    split = replace(split_of(store, [4, 6]), partition=settings.get("partition", "iid"))
    data = FederatedData(store, split).double()
    config = FederatedConfig(num_clients=2, rounds=1, batch_size=6, evaluate_every=100, **settings)
    torch.set_default_dtype(torch.float64)
    try:
        server = FederatedServer(config, data)
    finally:
        torch.set_default_dtype(torch.float32)
    clients = [FederatedClient(client, data) for client in data.clients]
    return FederatedTrainer(config, server, clients)


def _partition(name: str) -> dict[str, Any]:
    """Splits of 90 patients of three sites, two images each, and what clients see of an image."""
    value = PARTITIONS.load(name).value
    example = "north" if isinstance(value, SiteName) else value and value.example
    word = name if value is None else f"{name}-{example}"
    store = small_store(180, size=8)
    patients = np.arange(180) // 2
    store.groups = np.char.add("g", patients.astype(str))
    store.sites = np.array(["east", "north", "west"])[patients % 3]
    store.folds = np.array(["train", "train", "train", "val", "test"])[patients % 5]
    clients = None if parse_partition(word).natural else 6
    splits = {}
    for seed, official in ((0, False), (1, True)):
        split = make_split(store, word, clients, seed, official_folds=official)
        first = range(min(2, split.num_clients))
        seen = [client_transform(word, client, split.num_clients, seed) for client in first]
        splits[f"seed{seed}"] = {
            "clients": " ".join(map(str, split.clients)),
            "folds": " ".join(split.folds),
            "images": [see(store.images[:1]).ravel().tolist() for see in seen if see],
        }
    return {"word": word, "splits": splits}


def _numbers(tensor: torch.Tensor) -> Any:
    """All entries of a small tensor; of a large one its hash, its norm and some entries."""
    flat = tensor.detach().reshape(-1)
    if len(flat) <= 500:
        return flat.tolist()
    chosen = torch.linspace(0, len(flat) - 1, 100).long()
    return {
        "sha256": hashlib.sha256(flat.contiguous().numpy().tobytes()).hexdigest(),
        "norm": float(torch.linalg.vector_norm(flat)),
        "entries": flat[chosen].tolist(),
    }


def _timeless(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "seconds"}


def machine() -> dict[str, str]:
    """What decides the last bit of a sum: the same bits are asked for only where it is equal."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next(line for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor()
    return {
        "torch": torch.__version__,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "processor": processor.partition(":")[2].strip() or processor,
    }


def differences(golden: Any, found: Any, exact: bool, place: str = "") -> Iterator[str]:
    """Where ``found`` lacks or changes a number of ``golden``; what is new in it may stand."""
    if isinstance(golden, dict) and isinstance(found, dict):
        for key, value in golden.items():
            if key == "sha256" and not exact:
                continue
            if key not in found:
                yield f"{place}/{key} is missing"
            else:
                yield from differences(value, found[key], exact, f"{place}/{key}")
    elif isinstance(golden, list) and isinstance(found, list) and len(golden) == len(found):
        for number, (one, other) in enumerate(zip(golden, found, strict=True)):
            yield from differences(one, other, exact, f"{place}/{number}")
    elif isinstance(golden, float) and isinstance(found, int | float) and not exact:
        if abs(golden - found) > ELSEWHERE * max(1.0, abs(golden)):
            yield f"{place}: {found!r} was {golden!r}"
    elif golden != found:
        yield f"{place}: {found!r} was {golden!r}"


def path(name: str) -> Path:
    """Where a golden file lies."""
    return FOLDER / f"{name}.json"


def read(name: str) -> dict[str, Any]:
    """One golden file."""
    return json.loads(path(name).read_text(encoding="utf-8"))
