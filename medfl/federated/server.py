"""The server: the global model and what the algorithm keeps beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from medfl.algorithms import ALGORITHMS, ClientUpdate, FederatedAlgorithm
from medfl.augment import resolve
from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated.data import FederatedData, channels_last
from medfl.federated.patches import patch_sides
from medfl.federated.streams import stream, stream_seed
from medfl.federated.vector import FlatModel
from medfl.models import build_model


def choose_device(name: str) -> torch.device:
    """``auto``: a GPU where there is one; a device that is not there is a ``MedflError``."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise MedflError(
            f"training.device is {name!r}: choose auto, cpu, cuda or cuda:<index>."
        ) from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise MedflError(
            f"training.device is {name}, but PyTorch sees no GPU (torch {torch.__version__}). "
            "Use device: auto, or install a CUDA build of PyTorch."
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise MedflError(
            f"training.device is {name}, but the GPUs here are numbered 0 to "
            f"{torch.cuda.device_count() - 1}: choose one of them, or device: auto."
        )
    return device


class FederatedServer:
    """Holds x, samples participants, and lets the algorithm aggregate.

    Attributes:
        vector: the global parameters x, (d,).
        buffers: the global batch-norm statistics, (b,).
        model: the network that every client trains in, in turn.
        algorithm: the federated algorithm, bound to this server.
        local: boolean (d,) and (b,): entries that never leave their client.
        patch: sides of the patches to train on, or None for whole images.
        augmentation: what may happen to training images; None for nothing.
        num_clients: N, all clients of the federation.
        round: the round under way, from 1; 0 before training.
    """

    def __init__(
        self,
        config: FederatedConfig,
        data: FederatedData,
        model: torch.nn.Module | None = None,
        algorithm: FederatedAlgorithm | None = None,
    ) -> None:
        self.config = config
        learning = config.federated_learning
        self.algorithm: FederatedAlgorithm = algorithm or ALGORITHMS.create(
            learning.algorithm, learning.algorithm_params
        )
        self.num_clients = 1 if self.algorithm.pooled else len(data.clients)
        sizes = {client: len(data.indices(client, "train")) for client in data.clients}
        if self.algorithm.pooled:
            sizes = {0: sum(sizes.values())}
        self.sizes = dict.fromkeys(sizes, 1) if learning.weighting == "uniform" else sizes
        size = learning.clients_per_round
        if size is not None and size > self.num_clients and not self.algorithm.pooled:
            raise MedflError(f"clients_per_round is {size} of only {self.num_clients} clients.")
        patch, sides = config.training.patch, tuple(data.images.shape[2:])
        self.patch = None if patch is None else patch_sides(patch, sides)
        shape = (*data.images.shape[:2], *(self.patch or sides))
        self.augmentation = resolve(config.augmentation, data.info, shape)
        if model is None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(stream_seed(config.seed, "init"))
                model = build_model(
                    config.model.name,
                    num_classes=len(data.info.classes),
                    in_channels=data.images.shape[1],
                    image_size=self.patch or sides,
                    normalization=config.model.normalization,
                    pretrained=config.model.pretrained,
                    branches=_branches(config, data),
                    params=config.model.params,
                )
        # Channels last on every device, so that a checkpoint can go on on another one.
        layout = channels_last(data.images.ndim)
        model = model.to(data.device, memory_format=layout)  # type: ignore[call-overload]
        self.model = FlatModel(model)
        self.vector, self.buffers = self.model.vector.clone(), self.model.buffers.clone()
        names = self.algorithm.local_names(self.model)
        parameters, buffers = self.model.mask(names)
        self.local: tuple[Tensor, Tensor] | None = None
        if names:
            self.local = (parameters.to(data.device), buffers.to(data.device))
        self.shared_size = int((~parameters).sum() + (~buffers).sum())
        self.round = 0
        self.algorithm.check(config.training, self.model)
        self.algorithm.server = self
        self.algorithm.setup(self)

    def participants(self, round_number: int) -> list[int]:
        """Positions of this round's clients, ascending; sampled without replacement."""
        size = self.config.federated_learning.clients_per_round
        if size is None or self.algorithm.pooled or self.algorithm.participation == "all":
            return list(range(self.num_clients))
        generator = stream(self.config.seed, round_number, "participants")
        return sorted(torch.randperm(self.num_clients, generator=generator)[:size].tolist())

    def learning_rate(self, round_number: int) -> float:
        """The local learning rate η of a round (from 1), constant within it."""
        training, rounds = self.config.training, self.config.federated_learning.rounds
        rate, warmup = training.learning_rate, training.warmup_rounds
        if round_number <= warmup:
            return rate * round_number / (warmup + 1)
        done = round_number - 1
        if training.lr_schedule == "cosine":
            progress = (done - warmup) / max(1, rounds - warmup)
            return rate * 0.5 * (1 + math.cos(math.pi * progress))
        if training.lr_schedule == "exponential":
            return float(rate * training.lr_gamma ** (done / rounds))
        if training.lr_schedule == "step":
            passed = sum(done >= round(part * rounds, 6) for part in training.lr_milestones)
            return float(rate * training.lr_gamma**passed)
        return rate

    def aggregate(self, updates: Iterable[ClientUpdate]) -> None:
        """Let the algorithm aggregate; what is local to clients stays as the server began it."""
        kept = self.local and (self.vector[self.local[0]], self.buffers[self.local[1]])
        self.algorithm.aggregate(updates)
        if self.local and kept:
            self.vector[self.local[0]], self.buffers[self.local[1]] = kept

    def move_to(self, mean: Tensor, rate: float) -> None:
        """X ← x + rate · (mean − x); exactly ``mean`` where the rate is 1."""
        if rate == 1.0:
            self.vector.copy_(mean)
        else:
            self.vector.lerp_(mean, rate)

    def bytes_each_way(self) -> tuple[int, int]:
        """Bytes of the model itself (up, down) for one client: shared entries, as stored."""
        size = self.shared_size * self.vector.element_size() if self.algorithm.communicates else 0
        return size, size


def _branches(config: FederatedConfig, data: FederatedData) -> tuple[int, ...]:
    """Channels of each modality for late fusion; empty for early."""
    if config.model.fusion == "early":
        return ()
    branches = tuple(data.info.branches)
    if len(branches) < 2:
        raise MedflError(
            f"model.fusion is late, but the images of {data.info.name} have a single modality: "
            "set fusion: early, or prepare a dataset with several modalities."
        )
    return branches
