"""A person's own algorithm, each of whose hooks is held to what it must give.

Whatever the engine asks of an algorithm it asks here. A shorter vector would be spread over the
whole model, and a text would stand in a table of numbers: a run would end as completed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Set
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor

from medfl.algorithms import FederatedAlgorithm
from medfl.algorithms.objective import hook_word
from medfl.chain.message import PARAMETERS, STATISTICS, Message, Part, Total, Work
from medfl.chain.own_message import (
    check_messages,
    check_part,
    is_count,
    kept_model,
    kept_vectors,
    shapes_of,
)
from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated.own_training import check_work, kept_download
from medfl.own_class import asking, check_row, check_type, check_words, is_builtin
from medfl.results.column import Column

if TYPE_CHECKING:
    from medfl.chain.roles import Client, Server
    from medfl.models.flat import FlatModel


class OwnAlgorithm:
    """Asks a person's own algorithm, and refuses what it must not give (``MedflError``).

    Attributes:
        sees_messages: whether it has ``weigh``.
    """

    def __init__(self, algorithm: FederatedAlgorithm) -> None:
        self._algorithm, self.sees_messages = algorithm, algorithm.sees_messages

    @contextmanager
    def _asked(self, hook: str) -> Iterator[str]:
        where = hook_word(hook, type(self._algorithm))
        with asking(where):
            yield where

    def check(self, config: FederatedConfig, model: FlatModel) -> None:
        """Let it refuse the configuration; what it does to its copy is nobody's."""
        with self._asked("check"):
            self._algorithm.check(config.model_copy(deep=True), model)

    def setup(self, server: Server) -> None:
        """Let it create its state; the server's model is not its to set."""
        instead = (
            "change what clients send, in `message`, or what the server makes of it, in `step`"
        )
        with self._asked("setup") as where, kept_model(server, where, instead):
            self._algorithm.setup(server)
        self._check_state(where)

    def local_names(self, model: FlatModel) -> Collection[str]:
        """What never leaves its client."""
        with self._asked("local_names") as where:
            found = self._algorithm.local_names(model)
        needed = "a set of names of the model's parameters and buffers"
        check_type(found, (Set, list, tuple), where, needed)
        module = model.module
        known = {name for name, _ in (*module.named_parameters(), *module.named_buffers())}
        for name in found:
            if name not in known:
                raise MedflError(
                    f"{where} gave {name!r}, which the model does not have: needed is {needed}, "
                    f"such as {next(iter(known), 'none')!r}."
                )
        return found

    def broadcast(self) -> dict[str, Tensor]:
        """What the server sends beside its model."""
        with self._asked("broadcast") as where:
            found = self._algorithm.broadcast()
        needed, server = "a dictionary of name → tensor", self._algorithm.server
        check_type(found, dict, where, needed)
        own = {PARAMETERS: server.vector, STATISTICS: server.buffers}
        for name, one in found.items():
            check_type(name, str, f"{where}, as a name,", "a text")
            check_type(one, Tensor, f"{where}, as `{name}`,", "a tensor")
            if name in own:
                _check_like(one, own[name], f"{where}, as `{name}`,")
        return found

    def train(self, client: Client, model: FlatModel) -> Work:
        """What a client's training came to."""
        with (
            self._asked("train") as where,
            kept_download(client, where),
        ):
            work = self._algorithm.train(client, model)
        check_work(work, where)
        return work

    def message(self, client: Client, model: FlatModel, work: Work) -> dict[str, Part]:
        """The parts of what a client sends."""
        with (
            self._asked("message") as where,
            kept_download(client, where),
        ):
            parts = self._algorithm.message(client, model, work)
        check_type(parts, dict, where, "a dictionary of name → Part")
        for name, part in parts.items():
            check_type(part, Part, f"{where}, as `{name}`,", "a Part")
        server = client.server
        shapes = {STATISTICS: server.buffers.shape, PARAMETERS: server.vector.shape}
        needed = list(shapes) if self._averages else [STATISTICS]
        if lacking := [name for name in needed if name not in parts]:
            raise MedflError(
                f"{where} gave no part {' and '.join(f'`{one}`' for one in lacking)}, of which the "
                "server takes the mean: give what `client.model_parts(model)` does, and more."
            )
        for name, part in parts.items():
            check_part(part, shapes.get(name), f"{where}: its part `{name}`", "as the server's is")
        return parts

    def sent(self, client: Client, message: Message, work: Work) -> None:
        """Let the client keep what it needs."""
        with self._asked("sent") as where, kept_vectors(message.parts, where):
            self._algorithm.sent(client, message, work)

    def weigh(self, messages: list[Message]) -> list[Message]:
        """A round's messages, with other weights."""
        given = {message.client: shapes_of(message) for message in messages}
        first = messages[0].parts if messages else {}  # they all have the same bases
        with self._asked("weigh") as where, kept_vectors(first, where, values=False):
            found = self._algorithm.weigh(messages)
        check_type(found, list, where, "a list of messages")
        for message in found:
            check_type(message, Message, f"{where}, in its list,", "a Message")
        check_messages(found, given, where)
        return found

    def aggregate(self, total: dict[str, Total]) -> None:
        """Let it move the server's model."""
        algorithm, server = self._algorithm, self._algorithm.server
        vector, buffers = server.vector, server.buffers
        uneven = not _is_even(vector)
        like = vector.new_empty(vector.shape), buffers.new_empty(buffers.shape)
        # What `step` gives is lost in the base class's `aggregate`, which does nothing else.
        own = getattr(algorithm.aggregate, "__func__", None) is not FederatedAlgorithm.aggregate
        hook: Any = algorithm.aggregate if own else algorithm.step
        name = "aggregate" if own else "step"
        with self._asked(name) as where, kept_vectors(dict(total), where):
            given = hook(total)
        if given is not None and given is not server.vector:
            needed = "nothing: write the new model into `self.server.vector`"
            check_type(given, (), where, needed)
        _check_set(server.vector, like[0], f"{where} set `server.vector`, and")
        _check_set(server.buffers, like[1], f"{where} set `server.buffers`, and")
        if uneven and _is_even(server.vector) and bool(server.vector[0]):
            raise MedflError(
                f"{where} gave one number, {server.vector[0]:g}, for each of the model's "
                f"{len(server.vector)} parameters, as a shorter vector that is spread over them "
                "does: it must give a vector (k,) of them all."
            )
        self._check_state(where)

    def row(self) -> dict[str, Any]:
        """Its columns of a round."""
        with self._asked("row") as where:
            found = self._algorithm.row()
        check_row(found, self._algorithm.columns, where, "columns")
        return found

    def client_row(self, client: int) -> dict[str, Any]:
        """Its columns of a client."""
        with self._asked("client_row") as where:
            found = self._algorithm.client_row(client)
        check_row(found, self._algorithm.client_columns, where, "client_columns")
        return found

    def extra_work(self) -> str | None:
        """What clients train besides, in words."""
        with self._asked("extra_work") as where:
            found = self._algorithm.extra_work()
        check_words(found, (str, type(None)), where, "a text, empty where there is nothing")
        return found

    def judged(self) -> Tensor:
        """The parameters that are judged."""
        vector = self._algorithm.server.vector
        with self._asked("judged") as where:
            found = self._algorithm.judged()
        check_type(found, Tensor, where, f"a vector of shape {tuple(vector.shape)}")
        _check_like(found, vector, where)
        return found

    def personal_model(self, client: Client, model: FlatModel) -> None:
        """Load a client's own model."""
        with self._asked("personal_model") as where:
            given: Any = self._algorithm.personal_model(  # type: ignore[func-returns-value]
                client, model
            )
        if given is not None and given is not model:
            check_type(given, (), where, "nothing: load it into `model`")

    @property
    def _averages(self) -> bool:
        """Whether the server's step is the mean of the parameters."""
        kind, base = type(self._algorithm), FederatedAlgorithm
        return kind.step is base.step and kind.aggregate is base.aggregate

    def _check_state(self, where: str) -> None:
        state = self._algorithm.state
        check_type(state, dict, f"{where}, as `state`,", "a dictionary of tensors")


def hooks_of(algorithm: FederatedAlgorithm) -> Any:
    """The algorithm, or where its class is a person's own what holds its hooks to their words."""
    return algorithm if is_builtin(type(algorithm)) else OwnAlgorithm(algorithm)


def check_algorithm(algorithm: FederatedAlgorithm) -> None:
    """Refuse attributes of another type, which a property may have (``MedflError``)."""
    if is_builtin(type(algorithm)):
        return
    for name in ("pooled", "communicates", "keeps_state", "counts_labels"):
        check_type(
            getattr(algorithm, name), bool, hook_word(name, type(algorithm)), "True or False"
        )
    if not is_count(passes := algorithm.loss_passes):
        where = hook_word("loss_passes", type(algorithm))
        raise MedflError(f"{where} gave {passes!r}: it must give a whole number, 0 or more.")
    for name in ("columns", "client_columns"):
        where, needed = hook_word(name, type(algorithm)), "a tuple of Columns"
        check_type(found := getattr(algorithm, name), (tuple, list), where, needed)
        for one in found:
            check_type(one, Column, where, needed)


def _check_like(vector: Tensor, like: Tensor, where: str) -> None:
    if vector.shape != like.shape or not vector.is_floating_point():
        raise MedflError(
            f"{where} gave {vector.dtype} of shape {tuple(vector.shape)}: it must give real "
            f"numbers of shape {tuple(like.shape)}."
        )


def _check_set(now: Any, like: Tensor, where: str) -> None:
    check_type(now, Tensor, where, f"a vector of shape {tuple(like.shape)}")
    _check_like(now, like, where)
    if now.dtype != like.dtype or now.device != like.device:
        raise MedflError(
            f"{where} gave {now.dtype} on {now.device}: it must give {like.dtype} on {like.device}."
        )


def _is_even(vector: Tensor) -> bool:
    """Whether it has the same number everywhere; a single one is no such case."""
    return len(vector) > 1 and bool((vector == vector[0]).all())
