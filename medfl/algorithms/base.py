"""What every federated algorithm is: a few hooks, named as in the papers.

The engine trains, counts, checkpoints and evaluates; an algorithm says only in what it differs
from federated averaging.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from medfl.algorithms.objective import averaged
from medfl.chain.message import PARAMETERS, Work
from medfl.errors import MedflError
from medfl.registry import HyperParams
from medfl.results.column import Column

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain import Message, Part, Total
    from medfl.chain.roles import Client, Server
    from medfl.config import FederatedConfig
    from medfl.models.flat import FlatModel, Gradient


_OLD_HOOKS = {
    "client_update": "message(client, model, work)",
    "before_training": "train(client, model)",
}


class FederatedAlgorithm:
    """Federated averaging (McMahan et al., AISTATS 2017, algorithm 1), hook by hook.

    Class attributes:
        Params: the hyper-parameters, a frozen pydantic model.
        evaluated: which model the results are about: the server's (``global``), each client's own
            on its own data (``personal``), or each client's own on everyone's data (``local``).
        statistics: what happens to batch-norm statistics, in words, for the record.
        participation: ``sampled``, or ``all`` where every client trains every round. Where nothing
            travels besides, each does then the share of the work that sampled clients have in the
            mean.
        unseen: what a hospital uses that took no part in training: one ``model``, the server's with
            the clients' mean of what stays with them, or the mean ``answers`` of their models.
        pooled: whether all data is first given to one client (the centralised baseline).
        communicates: whether anything travels between clients and server.
        unshared_descents: purposes of those descents (``client.descend``) of which nothing flows
            back into what a client sends, now or later, as of a model of its own. Differential
            privacy leaves them without noise.
        keeps_state: whether clients keep something from round to round (``client.keep``).
        loss_passes: how many passes a client makes over its training samples in a round to measure
            a loss (``client.mean_loss``), beside its steps.
        counts_labels: whether a step of a client depends on how many samples it has of each class.
        columns: what ``row`` adds to ``rounds.csv``.
        client_columns: what ``client_row`` adds to ``clients.csv``.
        sees_messages: whether it overrides ``weigh``, which sees single messages.
    """

    class Params(HyperParams):
        """No hyper-parameters."""

    evaluated: ClassVar[Literal["global", "personal", "local"]] = "global"
    statistics: ClassVar[str] = "averaged with the parameters' weights"
    participation: ClassVar[Literal["sampled", "all"]] = "sampled"
    unseen: ClassVar[Literal["model", "answers"]] = "model"
    pooled: ClassVar[bool] = False
    communicates: ClassVar[bool] = True
    unshared_descents: ClassVar[tuple[str, ...]] = ()
    keeps_state: ClassVar[bool] = False
    loss_passes: ClassVar[int] = 0
    counts_labels: ClassVar[bool] = False
    columns: ClassVar[tuple[Column, ...]] = ()
    client_columns: ClassVar[tuple[Column, ...]] = ()
    sees_messages: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse a class with hooks of medfl 0.1, which nobody would call."""
        super().__init_subclass__(**options)
        if "weigh" in cls.__dict__:
            cls.sees_messages = True
        for old, new in _OLD_HOOKS.items():
            # The hook may stand in any class that this one is made of.
            if any(old in base.__dict__ for base in cls.__mro__):
                raise MedflError(
                    f"{cls.__name__}.{old} is a hook of medfl 0.1, which is not called any more: "
                    f"write it as `{new}` (docs/algorithms.md)."
                )

    def __init__(self, **params: Any) -> None:
        self.params: Any = self.Params(**params)
        self.server: Server
        self.state: dict[str, Tensor] = {}

    @classmethod
    def takes_full_gradient(cls, params: Mapping[str, Any]) -> bool:
        """Whether clients call ``full_gradient`` with these hyper-parameters."""
        return False

    @classmethod
    def plain_steps(cls, params: Mapping[str, Any]) -> float:
        """How many steps of a client's first round are plain SGD on the plain loss, from x.

        What it sends is then that model, or a multiple of its update, as `medfl attack inversion`
        simulates it. A class with a hook of its own that may change it says so, or has none.
        """
        hooks = ("train", "loss", "correct_gradient", "message")
        own = any(getattr(cls, hook) is not getattr(FederatedAlgorithm, hook) for hook in hooks)
        return 0 if own else math.inf

    @classmethod
    def keeps_batch_norm_alone(cls, params: Mapping[str, Any]) -> bool:
        """Whether batch norm is all that stays local, so that nothing does where there is none."""
        return False

    @classmethod
    def public_parts(cls, config: FederatedConfig, steps: int | None) -> dict[str, float]:
        """The public parts of its messages by name, and how large an entry of them may get.

        Links that write numbers within bounds refuse a run by it, because a public part may not be
        moved to a bound. ``steps`` are the most local steps of a client, or None where only the
        split tells; what follows from them is then infinite.
        """
        return {}

    def check(self, config: FederatedConfig, model: FlatModel) -> None:
        """Refuse settings under which the algorithm is not what it says (``MedflError``)."""

    def setup(self, server: Server) -> None:
        """Create the server's state, in ``self.state``, before the first round."""

    def objective(self) -> str:
        """What the run's settings make of the objective, in words, for the record and the report.

        A class that overrides a hook says it anew; else its records have "not stated".
        """
        return averaged(self.server)

    def extra_work(self) -> str:
        """What each client trains beside the work of a round, in words, for the record.

        By default these are its ``loss_passes``.
        """
        if not self.loss_passes:
            return ""
        passes = "a pass" if self.loss_passes == 1 else f"{self.loss_passes} passes"
        return f"{passes} over its samples to measure a loss"

    def local_names(self, model: FlatModel) -> set[str]:
        """Names of the parameters and buffers that never leave their client; by default none."""
        return set()

    def broadcast(self) -> dict[str, Tensor]:
        """What the server sends beside its model, by name; its bytes are counted."""
        return {}

    def train(self, client: Client, model: FlatModel) -> Work:
        """Train one client in ``model``, which holds what the server sent.

        Clients may train side by side, each in a model of its own. So what belongs to one client
        stands in local variables or in ``Work.extras``, or is kept with ``client.keep``, and never
        stands on ``self``.
        Where the model descends twice (first its head, then the rest), the hook returns the sum of
        both descents' ``Work``. A model that is never sent may step on the batches of one that is:
        ``client.descend(…, beside=client.stepping(own, "personal"))``.
        """
        return client.descend(
            model, "train", correct_gradient=self.correct_gradient, loss=self.loss
        )

    def loss(self, model: FlatModel, images: Tensor, labels: Tensor, client: Client) -> Any:
        """The loss of a batch: a scalar to be minimised.

        ``labels`` are (B,) class indices, or (B, K) for multi-label data and for soft labels.
        """
        return client.criterion(model.module(images), labels)

    def correct_gradient(self, gradient: Gradient, model: FlatModel, client: Client) -> None:
        """Add this algorithm's correction to a step's gradient, (d,), in place."""

    def message(self, client: Client, model: FlatModel, work: Work) -> dict[str, Part]:
        """What the client sends after its local training; by default its trained model."""
        return client.model_parts(model)

    def sent(self, client: Client, message: Message, work: Work) -> None:
        """Let the client keep what it needs of ``message``, after the links have acted on it."""

    def weigh(self, messages: list[Message]) -> list[Message]:
        """Give a round's messages, ordered by client, with other weights before they are combined.

        All of them are in memory then. Links that hide single messages are refused. The round may
        still come to nothing: ``state`` is changed in ``step`` alone.
        """
        return messages

    def step(self, total: dict[str, Total]) -> None:
        """Move the server's model after a round: x ← Σ w_i y_i / Σ w_i.

        ``total`` has what each part of the messages adds up to. The server itself has already
        averaged the batch-norm statistics.
        """
        self.server.vector.copy_(total[PARAMETERS].mean)

    def aggregate(self, total: dict[str, Total]) -> None:
        """Take the server's part of a round, which is ``step``: this is what algorithms override.

        A class of medfl 0.1 that does something before or after ``super().aggregate(updates)``
        works on. There are no updates of single clients in ``total``, so a class that reads them
        fails in its first round.
        """
        self.step(total)

    def row(self) -> dict[str, float]:
        """Fill its ``columns`` in the row of a round whose step it has made."""
        return {}

    def client_row(self, client: int) -> dict[str, float]:
        """Fill its ``client_columns`` in the row of one client of ``clients.csv``."""
        return {}

    def judged(self) -> Tensor:
        """The parameters of the server's model that is judged and kept; by default x itself."""
        return self.server.vector

    def personal_model(self, client: Client, model: FlatModel) -> None:
        """Load into ``model`` what this client would use on its own patients.

        By default this is the server's model, with the client's own values of all entries that
        stay local.
        """
        client.receive(model)


def add_proximal_term(
    gradient: Gradient, model: FlatModel, client: Client, strength: float
) -> None:
    """Add ``strength`` · (y − x), the gradient of ``strength``/2 · ‖y − x‖², in place.

    y is ``model``; x is what this client's round began with.
    """
    gradient.add_(model.vector, alpha=strength)
    gradient.add_(client.start, alpha=-strength)


def effective_steps(steps: int, momentum: float = 0.0, shrink: float = 0.0) -> float:
    """‖a‖₁: a constant gradient g moves the model by η‖a‖₁ g in ``steps`` local steps.

    Wang et al., NeurIPS 2020, section 3. For plain SGD this is τ. Under momentum ρ it is the sum
    over the recursion a ← ρa + 1; under a proximal term it follows a ← a(1 − ηµ) + 1, where
    ``shrink`` is ηµ. The recursion below is all three at once: m ← ρm + 1 − ηµ·u, u ← u + m.
    """
    moved = velocity = 0.0
    for _ in range(steps):
        velocity = momentum * velocity + 1.0 - shrink * moved
        moved += velocity
    return moved
