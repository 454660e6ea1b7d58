"""The server: the global model and what the algorithm keeps beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from medfl.algorithms import ALGORITHMS, FederatedAlgorithm
from medfl.algorithms.objective import objective_of
from medfl.algorithms.precision import check_precision
from medfl.augment import recipe_for
from medfl.chain import PARAMETERS, STATISTICS, Message, Part, Total, build_chain
from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated.client_state import ClientStates
from medfl.federated.data import FederatedData, channels_last, split_batches
from medfl.federated.initial_model import initial_model
from medfl.federated.local_work import LocalWork
from medfl.federated.own_algorithm import check_algorithm, hooks_of
from medfl.federated.patches import patch_sides
from medfl.federated.schedule import learning_rate
from medfl.federated.step_graphs import StepGraphs
from medfl.federated.workers import Workers, in_worker, own_classes
from medfl.models.flat import FlatModel, Shared
from medfl.partition.pooled import POOLED
from medfl.streams import torch_stream


class RootSet(Protocol):
    """What trains on samples of the server's own (``medfl.federated.root.RootClient``)."""

    download: Mapping[str, Part]

    def root_message(self) -> Message:
        """What a client with these samples would send in the round that is open."""


class FederatedServer:
    """Holds x, samples participants, and lets the algorithm make its step.

    Attributes:
        data: the samples that clients train on; one client holds them all where the algorithm
            says so.
        vector: the shared global parameters x: (d,), or fewer where some stay local.
        buffers: the shared global batch-norm statistics: (b,), or fewer.
        states: where the clients' states lie.
        workers: the processes in which clients train and models are evaluated.
        graphs: training steps that a GPU launches at once.
        shared: which entries of the model travel.
        algorithm: the federated algorithm, bound to this server.
        chain: what lies between the clients and the algorithm's step.
        patch: sides of the patches to train on; None where training takes whole images.
        augmentation: how training images are changed at random; None where they are not.
        num_clients: N, all clients of the federation.
        weights: client → its weight in averages, n_i or 1, not normalised.
        total_weight: Σ of all N clients' weights.
        local_steps: client → the local steps that the configuration gives it in a round; where one
            client holds all samples, those of all clients.
        work: what each client trains in each round.
        round: the round under way, from 1; 0 before training.
        root: what trains on samples of the server's own; None where it has none.
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
        self.algorithm = algorithm or ALGORITHMS.create(
            learning.algorithm, learning.algorithm_params
        )
        check_algorithm(self.algorithm)
        hooks = hooks_of(self.algorithm)
        self.chain = build_chain(config, type(self.algorithm))
        if any(link.public_pixels for link in self.chain.links) and not data.public_pixels:
            raise MedflError(
                "this chain claims privacy, so the data must be opened with public_pixels: the "
                "training images' own mean and deviation would tell of them."
            )
        self.data = data.merged() if self.algorithm.pooled else data
        self.num_clients = len(self.data.clients)
        uniform = learning.weighting == "uniform"
        self.states = ClientStates(config.training, self.num_clients, data.device)
        self.weights = {
            client: 1.0 if uniform else float(len(self.data.indices(client, "train")))
            for client in self.data.clients
        }
        self.total_weight = sum(self.weights.values())
        everyone, size = len(data.clients), learning.clients_per_round
        if self.algorithm.pooled and data.split.partition == POOLED:
            # With passes over all samples nobody need know how many clients there are.
            everyone = learning.num_clients or (everyone if learning.local_steps else size or 1)
        if size is not None and size > everyone:
            raise MedflError(f"clients_per_round is {size} of only {everyone} clients.")
        pooled, all_train = self.algorithm.pooled, self.algorithm.participation == "all"
        times = everyone if pooled else 1
        self.local_steps = {
            client: self.steps_for(self.data.indices(client, "train"), times)
            for client in self.data.clients
        }
        shared = pooled or (all_train and not self.algorithm.communicates)
        self.work = LocalWork(
            whole=self.local_steps,
            epochs=None if learning.local_steps else self._epochs,
            taking_part=everyone if size is None or (all_train and not shared) else size,
            everyone=everyone,
            shared=shared,
            pooled=pooled,
        )
        patch, sides = config.training.patch, tuple(data.images.shape[2:])
        self.patch = None if patch is None else patch_sides(patch, sides)
        shape = (*data.images.shape[:2], *(self.patch or sides))
        self.augmentation = recipe_for(config.augmentation, data.info, shape)
        if model is None:
            model = initial_model(config, data, self.patch or sides)
        # Channels last on every device, so that a run can go on on another device.
        layout = channels_last(data.images.ndim)
        model = model.to(data.device, memory_format=layout)  # type: ignore[call-overload]
        self._model = FlatModel(model)
        most = torch.finfo(self._model.vector.dtype).max
        links = {link.name: getattr(link, "params", None) for link in self.chain.links}
        check_precision(config, getattr(self.algorithm, "params", None), links, most)
        self.workers = Workers(self._model)
        self.shared = Shared(self.model, hooks.local_names(self.model))
        vector, buffers = self.shared.take(self.model)
        self.vector, self.buffers = vector.clone(), buffers.clone()
        # Entries that stay local begin with the same values at the server and at every client.
        self._local = [part.clone() for part in self.shared.take_local(self.model)]
        self.round = 0
        self.root: RootSet | None = None
        # A graph would repeat for ever what a person's own code has decided by what it saw once.
        wanted = config.training.cuda_graphs == "auto" and not own_classes(self.parts)
        self.graphs = StepGraphs(wanted and data.device.type == "cuda")
        if self.algorithm.evaluated == "global" and not self.complete:
            raise MedflError(
                f"{type(self.algorithm).__name__} keeps a part of the model with its clients "
                "(`local_names`), so there is no global model to judge: give it the line "
                '`evaluated = "personal"`.'
            )
        hooks.check(config, self.model)
        self.algorithm.server = self
        hooks.setup(self)
        self.chain.setup(self)

    @property
    def model(self) -> FlatModel:
        """A network to train and evaluate in.

        Raises:
            MedflError: clients train side by side, each in another one.
        """
        if self.workers.at_work or in_worker():
            raise MedflError(
                "`server.model` is read while clients train side by side, each in a network of its "
                "own: read the `model` that the hook is given, or set `training.workers: 1`."
            )
        return self._model

    @property
    def parts(self) -> list[object]:
        """The algorithm, the links and the network, whose classes may be a person's own."""
        return [self.algorithm, *self.chain.links, self._model.module]

    @property
    def objective(self) -> str:
        """What the run minimises, in words."""
        plain, beta = objective_of(self.algorithm), self.config.training.class_balanced_beta
        if beta:
            plain += f"; losses are class-balanced, β = {beta:g}, by each client's label counts"
        return self.chain.objective(plain)

    @property
    def _epochs(self) -> int:
        learning = self.config.federated_learning
        return learning.local_epochs or learning.default_epochs

    def steps_for(self, rows: Tensor, times: int = 1) -> int:
        """The local steps of a round on these store rows; ``times`` as many where they count."""
        steps = self.config.federated_learning.local_steps
        if steps is not None:
            return times * steps
        return self._epochs * len(split_batches(rows, self.config.training.batch_size))

    @property
    def complete(self) -> bool:
        """Whether the server has a whole model: no entry of it stays with the clients."""
        return self.shared.all

    def participants(self, round_number: int) -> list[int]:
        """Positions of this round's clients, ascending; sampled without replacement.

        Of those that train without others it is who has a step to take.
        """
        size = self.config.federated_learning.clients_per_round
        if self.work.part:
            clients = enumerate(self.data.clients)
            return [at for at, client in clients if self.work.steps(client, round_number)]
        if size is None or size >= self.num_clients or self.algorithm.participation == "all":
            return list(range(self.num_clients))
        generator = torch_stream(self.config.seed, round_number, "participants")
        return sorted(torch.randperm(self.num_clients, generator=generator)[:size].tolist())

    def learning_rate(self, round_number: int) -> float:
        """The local learning rate η of a round (from 1), constant within it."""
        return learning_rate(self.config, round_number)

    def open(self, number: int) -> dict[str, Part]:
        """Open round ``number``: give what each of its clients receives.

        It stays what was sent, as the base of the round's messages, while the server moves its own
        vectors: these are copies, but where all classes are ours the model is not, because nothing
        but ``step`` moves it.
        """
        self.round = number
        ours = not own_classes([self.algorithm, *self.chain.links])
        still = (PARAMETERS, STATISTICS) if ours else ()
        return {
            name: part if name in still else replace(part, value=part.value.clone())
            for name, part in self.download().items()
        }

    def root_message(self) -> Message:
        """What a client with the server's own samples would send in the round that is open."""
        assert self.root is not None
        return self.root.root_message()

    def download(self) -> dict[str, Part]:
        """What the server sends to each client: its model, and what the algorithm adds.

        The vectors are the server's own.
        """
        parts = {
            PARAMETERS: self.vector,
            STATISTICS: self.buffers,
            **hooks_of(self.algorithm).broadcast(),
        }
        return {name: Part(value, weight=1.0) for name, value in parts.items()}

    def load(self, model: FlatModel, parameters: Tensor, buffers: Tensor) -> None:
        """Load shared entries into ``model``; those that stay local get their first values."""
        self.shared.put(model, parameters, buffers)
        self.shared.put_local(model, *self._local)

    def load_judged(self, model: FlatModel) -> None:
        """Load into ``model`` what results are about: the server's model as the algorithm says."""
        self.load(model, hooks_of(self.algorithm).judged(), self.buffers)

    def step(self, total: dict[str, Total]) -> None:
        """Average the statistics, and let the algorithm move the parameters."""
        # Away from what was sent. They are copied only now, when no training step needs memory.
        self.vector, self.buffers = self.vector.clone(), self.buffers.clone()
        self.buffers.copy_(total[STATISTICS].mean)
        hooks_of(self.algorithm).aggregate(total)

    def move_to(self, mean: Tensor, rate: float) -> None:
        """x ← x + rate · (mean − x); exactly ``mean`` where the rate is 1."""
        if rate == 1.0:
            self.vector.copy_(mean)
        else:
            self.vector.lerp_(mean, rate)
