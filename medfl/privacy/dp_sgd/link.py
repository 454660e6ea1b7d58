"""DP-SGD as links of the chain. Abadi et al., Deep Learning with Differential Privacy, CCS 2016.

Every client draws each step's units by chance (Poisson), bounds what each adds to the gradient, and
adds noise. All that it sends, now and later, follows from these noised gradients.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from medfl.chain import Link, Message
from medfl.chain.link import Backward
from medfl.errors import MedflError
from medfl.privacy.dp_sgd.accounts import Accounts
from medfl.privacy.dp_sgd.budget import plan_budget
from medfl.privacy.dp_sgd.refusals import check_composes, check_noise, check_size_step, check_views
from medfl.privacy.dp_sgd.settings import DescentParams
from medfl.privacy.randomness import DrawingLink
from medfl.results.columns import Column

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain.roles import Algorithm, Client, HeldData, Server
    from medfl.config import FederatedConfig
    from medfl.models.flat import FlatModel
    from medfl.privacy.dp_sgd.steps import NoisedGradients


class NoisyDescent(DrawingLink):
    """Noised steps on Poisson samples of units; a subclass says what a unit is."""

    class Params(DescentParams):
        """How DP-SGD samples, clips, adds noise and accounts.

        noise_multiplier: z, the noise's deviation divided by max_grad_norm; null: what each
            client's target_epsilon needs for the rounds that are planned. 0 without a
            target_epsilon is the reference without privacy, with the same batches.
        max_grad_norm: C, the norm to which each unit's gradient is clipped; null only where there
            is no noise.
        target_epsilon: the budget of each client.
        target_delta: δ.
        accountant: rdp is quick; prv is tighter, and takes about a second a client and round.
        size_step: a client's size is public, rounded to a multiple of this.
        views: how many views augmentation makes of each image; their gradients are averaged before
            they are clipped.
        max_samples_at_once: how many samples' gradients are in memory at a time; null: as many as
            take half a GiB.
        descents: noised descents of a client in a round.
        secure: draw from the system's source of randomness, so that nobody can repeat the run.
        """

    stage = "gradient"
    public_pixels = True
    by_client = ("_descents",)
    columns: ClassVar[tuple[Column, ...]] = (
        Column("epsilon", "Privacy budget ε spent, the largest of the clients"),
    )
    client_columns: ClassVar[tuple[Column, ...]] = (
        Column("epsilon", "Privacy budget ε that the client has spent"),
    )

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self.unit = "unit"
        self._accounts = Accounts("", self.params, {})
        self._plain: tuple[str, ...] = ()
        # Client → its noised descents of the round, which must be as many as are accounted for.
        self._descents: dict[int, list[str]] = {}

    @abstractmethod
    def word(self, data: HeldData) -> str:
        """What a unit is called."""

    @abstractmethod
    def units(self, client: Client) -> Tensor:
        """The unit of each of the client's rows, (n,), from 0 up, on the CPU."""

    @abstractmethod
    def count(self, data: HeldData, client: int) -> int:
        """How many units a client trains on."""

    @cached_property
    def _gradients(self) -> NoisedGradients:
        # Imported here because it imports torch, without which a grid is checked.
        from medfl.privacy.dp_sgd.steps import NoisedGradients

        return NoisedGradients(self.name, self.params)

    @property
    def effect(self) -> str:
        """Say what the steps go along."""
        bound, noise = self.params.max_grad_norm, self.params.noise_multiplier
        cut = "whole" if bound is None else f"cut to norm {bound:g}"
        hidden = "" if noise == 0.0 else ", and noise is added to each step"
        return f"each {self.unit}'s gradient counts {cut}{hidden}"

    def check(
        self, config: FederatedConfig, algorithm: type[Algorithm], links: Sequence[Link]
    ) -> None:
        """Refuse what its ε would not hold with."""
        check_noise(self.name, self.params)
        check_composes(self.name, config, algorithm, links)
        check_views(self.name, self.params, config, links)
        check_size_step(self.name, self.params, config)

    def setup(self, server: Server) -> None:
        """Choose every client's constants before anything is seen; nothing is spent yet."""
        from medfl.privacy.dp_sgd.network import check_network

        config, data = server.config, server.data
        learning = config.federated_learning
        self.unit = self.word(data)
        check_network(self.name, server)
        self._plain = server.algorithm.unshared_descents
        opened = Counter(
            data.clients[place]
            for number in range(1, learning.rounds + 1)
            for place in server.participants(number)
        )
        size, steps = config.training.batch_size, (learning.local_steps or 1) * self.params.descents
        budgets = {
            client: plan_budget(self.params, self.count(data, client), size, steps, opened[client])
            for client in data.clients
        }
        self._accounts = Accounts(self.name, self.params, budgets)
        self._accounts.check()
        self.state = self._accounts.begin()

    def open(self, number: int, clients: list[int]) -> list[int]:
        """Let those take part whose budget allows a further round, and count its steps."""
        if number == 1:  # the log of the run is open now
            self._accounts.warn(self.unit)
        self._descents = {}
        chosen, self.state = self._accounts.open(self.state, number, clients)
        return chosen

    def batches(self, client: Client, rows: Iterator[Tensor], purpose: str) -> Iterator[Tensor]:
        """As many batches as before, each a Poisson sample of units with all views of them."""
        from medfl.privacy.dp_sgd.steps import poisson_batches

        if purpose in self._plain:
            return rows
        self._count(client.id, purpose)
        rate, views = self._accounts.budgets[client.id].rate, self.params.views
        generator = self.source(client.server.round, client.id, purpose)
        return poisson_batches(rows, client.rows, self.units(client), rate, views, generator)

    def _count(self, client: int, purpose: str) -> None:
        """Refuse descents that are not accounted for, such as a gradient of all samples."""
        descents = self._descents.setdefault(client, [])
        descents.append(purpose)
        if purpose == "gradient" or len(descents) > self.params.descents:
            raise MedflError(
                f"{self.name}: in a round client {client} makes the descents "
                f"{', '.join(descents)}, and {self.params.descents} of them is accounted for (a "
                f"gradient of all samples cannot be). Set `descents` of {self.name}; or, where "
                "nothing of a descent flows back into what is sent, name its purpose in the "
                "algorithm's `unshared_descents`."
            )

    def gradient(
        self,
        client: Client,
        model: FlatModel,
        images: Tensor,
        labels: Tensor,
        backward: Backward,
    ) -> Tensor:
        """Put the noised gradient into the model, and give the samples' mean loss."""
        if client.drawn.purpose in self._plain:
            return backward(images, labels)
        drawn = client.drawn
        key = ("noise", client.server.round, client.id, drawn.purpose, drawn.step)
        return self._gradients.put(
            client,
            model,
            (images, labels),
            self.units(client),
            self._accounts.budgets[client.id],
            backward,
            self.source(*key, device=model.vector.device),
        )

    def message(self, client: Client, message: Message) -> Message:
        """Keep the training loss from the server, because no noise hides it."""
        message.loss = None
        return message

    def row(self, notes: Sequence[dict[str, float]]) -> dict[str, float | None]:
        """The largest ε so far."""
        return {"epsilon": self._accounts.largest(self.state)}

    def client_row(self, client: int) -> dict[str, float | None]:
        """The client's ε so far."""
        return {"epsilon": self._accounts.spent(self.state)[client]}

    def record(self) -> dict[str, Any]:
        """Every client's constants, its steps and its ε."""
        return {
            "unit": self.unit,
            "randomness": self.randomness,
            "clients": self._accounts.record(self.state),
        }

    def privacy(self) -> dict[str, Any]:
        """What it promises, and what it takes for public."""
        params = self.params
        return {
            "mechanism": self.name,
            "unit": self.unit,
            "epsilon": self._accounts.largest(self.state),
            "delta": params.target_delta,
            "adjacency": f"one {self.unit} more or less at a client",
            "accountant": params.accountant,
            "max_grad_norm": params.max_grad_norm,
            "target_epsilon": params.target_epsilon,
            "public": [
                f"each client's size, the {self.unit}s that it trains on in steps of "
                f"{params.size_step}",
                "each client's weight in averages",
                "the split's label histograms",
            ],
            "without_noise": [f"each client's own model ({one})" for one in self._plain],
        }
