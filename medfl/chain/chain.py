"""The chain of a run: its links in their order, and the rule that combines messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from medfl.chain.combine import Combination, Rule
from medfl.chain.link import STAGES, Backward, Judged, Link
from medfl.chain.message import Message, Total
from medfl.chain.own_link import OwnLink, asked, check_own_attributes
from medfl.chain.own_message import shapes_of
from medfl.chain.own_rule import Watched, check_total
from medfl.chain.registry import LINKS, RULES
from medfl.errors import MedflError, naming, own_code
from medfl.own_class import check_said, check_type, check_words

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

    from medfl.chain.roles import Algorithm, Client, Server
    from medfl.config import FederatedConfig
    from medfl.models.flat import FlatModel

_WORDS = (str, type(None))  # of an effect
_EFFECT = "a text, or None where it is not known"


class Chain:
    """Everything that acts between the clients and the server's step.

    Attributes:
        links: in the order of their stages; those of strength zero are left out.
        rule: how a round's messages are combined.
        columns: the columns that the links add to ``rounds.csv``.
        client_columns: the columns that they add to ``clients.csv``.
    """

    def __init__(self, links: Sequence[Link], rule: Rule) -> None:
        ordered = sorted(links, key=lambda link: (STAGES.index(link.stage), link.name))
        self.links = [link for link in ordered if not link.idle]
        self.rule = rule
        self._own_rule = ""
        self._sent: dict[str, torch.Size] = {}  # the parts of this round's messages
        self.columns = tuple(column for link in self.links for column in link.columns)
        self.client_columns = tuple(c for link in self.links for c in link.client_columns)

    def setup(self, server: Server) -> None:
        """Let every link create its state, and the rule look at the federation."""
        for link in self.links:
            link.seed = server.config.seed
            asked(link).setup(server)
        rule = server.config.chain.rule
        self.rule.seed = server.config.seed
        with RULES.guarded(rule, f"the rule `{rule}`"):
            self.rule.setup(server)
        self._own_rule = "" if rule in RULES else rule

    @property
    def seals(self) -> bool:
        """Whether a link sums the messages itself."""
        return bool(self._at("combination"))

    @property
    def may_give_up(self) -> bool:
        """Whether a round may come to nothing though clients answered."""
        return self.seals or self.rule.may_give_up

    @property
    def hides_steps(self) -> bool:
        """Whether a link keeps from the server how many steps each client takes."""
        return any(link.hides_steps for link in self.links)

    @property
    def state(self) -> dict[str, dict[str, Any]]:
        """The links' states by name, for the checkpoint."""
        for link in self.links:
            where = f"`state` of the link `{link.name}`"
            check_type(link.state, dict, where, "a dictionary of tensors")
        return {link.name: link.state for link in self.links}

    @state.setter
    def state(self, states: dict[str, dict[str, Any]]) -> None:
        for link in self.links:
            link.state = states[link.name]

    def objective(self, plain: str) -> str:
        """What an arm minimises, in words; ``plain`` is what its algorithm does without a chain."""
        effect = self.rule.effect
        check_words(effect, _WORDS, f"`effect` of the rule `{type(self.rule).__name__}`", _EFFECT)
        if effect is None:
            effect = f"{type(self.rule).__name__} does not say what its combination minimises"
        said = [f"{effect} (with the sum it would be: {plain})" if effect else plain]
        for link in self.links:
            effect = link.effect
            check_words(effect, _WORDS, f"`effect` of the link `{link.name}`", _EFFECT)
            if effect is None:
                effect = "acts on this, and does not say how"
            said += [f"{link.name}: {effect}"] if effect else []
        return "; ".join(said)

    def open(self, number: int, clients: list[int]) -> list[int]:
        """Which of ``clients`` take part in round ``number``, by id and ascending."""
        for link in self._at("open"):
            clients = sorted(link.open(number, list(clients)))
        return clients

    def batches(
        self,
        client: Client,
        rows: Iterator[Tensor],
        purpose: str,
        planned: int | None = None,
    ) -> Iterator[Tensor]:
        """The store rows of each local step of a client, as the links draw them.

        ``planned`` is how many batches ``rows`` gives, and the most that a person's own link may.
        """
        for link in self._at("batches"):
            own = (planned,) if isinstance(link, OwnLink) else ()
            rows = link.batches(client, rows, purpose, *own)
        return rows

    def samples(self, client: Client) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None:
        """A function that changes each batch of a client; None where no link changes any."""
        links = self._at("samples")
        if not links:
            return None

        def change(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
            for link in links:
                images, labels = link.samples(client, images, labels)
            return images, labels

        return change

    def gradient(self, client: Client, model: FlatModel, backward: Backward) -> Backward:
        """How a client computes a step's gradient; the first link is the innermost call."""
        for link in self._at("gradient"):
            backward = _inside(link, client, model, backward)
        return backward

    def message(self, client: Client, message: Message) -> Message | None:
        """The message that a client sends; None where the client drops out."""
        self._sent.update(shapes_of(message))
        for link in self._at("message"):
            changed = link.message(client, message)
            if changed is None:
                return None
            message = changed
        if self.hides_steps:
            return replace(message, steps=None, gradients=None, forwards=None)
        return message

    def together(self, number: int, messages: Iterable[Message]) -> Iterable[Message]:
        """A round's messages before they are combined; one by one where no link needs them all.

        They are ordered by client.
        """
        links = self._at("together")
        if not links:
            return messages
        everyone = [message.copy() for message in messages]
        for link in links:
            everyone = link.together(number, everyone)
            everyone.sort(key=lambda message: message.client)
        return everyone

    def combination(self, number: int) -> Combination:
        """What takes in the messages of round ``number``: the rule's, or a link's around it."""
        self.rule.round = number
        combination = self.rule.start()
        if self._own_rule:
            where = f"the rule `{self._own_rule}`"
            check_type(combination, Combination, f"{where}: start", "a medfl.chain.Combination")
            combination = Watched(combination, where, self.rule.may_give_up)
        self._sent = {}
        for link in self._at("combination"):
            own = (self._sent,) if isinstance(link, OwnLink) else ()
            combination = link.combination(number, combination, *own)
        return combination

    def close(
        self, number: int, total: dict[str, Total], answered: Sequence[int]
    ) -> dict[str, Total]:
        """The total of round ``number`` as the server gets it."""
        check_total(total, "what combines a round's messages")
        for link in self._at("close"):
            before = bool(total)
            total = link.close(number, total, answered)
            if before and not total and not self.may_give_up:
                raise MedflError(
                    f"`close` of the link `{link.name}` gave an empty total, of which clients and "
                    "server would know nothing: give back what it was given, changed or not."
                )
        return total

    def traffic(self, number: int, up: int, down: int) -> tuple[int, int]:
        """The bytes of round ``number`` that go up and down, with what links exchange besides."""
        for link in self._at("traffic"):
            up, down = link.traffic(number, up, down)
        return up, down

    def end(self) -> None:
        """Let the links end what they started beside the run."""
        for link in self._at("end"):
            link.end()

    @property
    def judges(self) -> bool:
        """Whether a link looks at what the server's model answers."""
        return bool(self._at("judge"))

    def judge(self, labels: np.ndarray, say: Judged) -> dict[str, float | None]:
        """What the links find in the answers of the server's model to test samples."""
        row: dict[str, float | None] = {}
        for link in self._at("judge"):
            row |= link.judge(labels, say)
        return row

    def client_row(self, client: int) -> dict[str, float | None]:
        """What the links say of one client in its row of ``clients.csv``."""
        row: dict[str, float | None] = {}
        for link in self._at("client_row"):
            row |= link.client_row(client)
        return row

    def record(self) -> dict[str, dict[str, Any]]:
        """What the links, and the rule, say of themselves in the record, by name."""
        found = {link.name: link.record() for link in self._at("record")}
        if type(self.rule).record is not Rule.record:
            found[self._own_rule or type(self.rule).__name__] = self.rule.record()
        for name, said in found.items():
            check_said(said, f"`record` of `{name}`")
        return found

    def privacy(self) -> dict[str, Any]:
        """What the chain promises, for the record; two links that promise are refused earlier."""
        claims = [claim for link in self._at("privacy") if (claim := link.privacy())]
        return {"mechanism": "none", "epsilon": None, "delta": None, **next(iter(claims), {})}

    def row(self, notes: Sequence[dict[str, float]]) -> dict[str, float | None]:
        """The links' columns of a round's row."""
        row: dict[str, float | None] = {}
        for link in self.links:
            row |= asked(link).row(notes)
        return row

    def _at(self, place: str) -> list[Any]:
        """The links that override the method of this place, each as it may be asked."""
        return [
            asked(link)
            for link in self.links
            if getattr(type(link), place) is not getattr(Link, place)
        ]


def _inside(link: Any, client: Client, model: FlatModel, backward: Backward) -> Backward:
    """A link's ``gradient`` around a step; a person's own may name its arguments as it likes."""

    def around(images: Tensor, labels: Tensor) -> Tensor:
        loss: Tensor = link.gradient(client, model, images, labels, backward)
        return loss

    return around


def build_chain(config: FederatedConfig, algorithm: type[Algorithm]) -> Chain:
    """Build the chain that a configuration describes, and check that all of it composes.

    Raises:
        MedflError: a link or rule is unknown, a parameter is wrong, or two parts do not compose.
    """
    links = []
    for name, params in config.chain.links.items():
        link = LINKS.create(name, params)
        link.name = name
        links.append(link)
    rule = RULES.create(config.chain.rule, config.chain.rule_params)
    with own_code("the chain cannot be built"):
        for link in links:
            check_own_attributes(link)
        chain = Chain(links, rule)
    if not algorithm.communicates and (chain.links or config.chain.rule != "sum"):
        what = chain.links[0].name if chain.links else config.chain.rule
        raise MedflError(
            f"the arm {config.arm} exchanges nothing, so `{what}` has nothing to act on: leave "
            "`chain` and `privacy` out for it, or where they are the grid's, give this arm "
            "`chain: {links: {}}` and `privacy: {mechanism: none}`."
        )
    if algorithm.sees_messages:
        hiding = [link.name for link in chain.links if _hides(link)]
        if hiding:
            raise MedflError(
                f"the algorithm {config.federated_learning.algorithm} looks at each client's "
                f"message by itself, and {hiding[0]} protects them: leave one of the two out."
            )
    for link in chain.links:
        with LINKS.guarded(link.name, f"the link `{link.name}`"):
            asked(link).check(config, algorithm, list(chain.links))
    with RULES.guarded(config.chain.rule, f"the rule `{config.chain.rule}`"):
        rule.check(config, algorithm)
    return chain


def _hides(link: Link) -> bool:
    """Whether a link gives the server, or the public, a sum and no single message."""
    return type(link).combination is not Link.combination or link.sums_alone


def public_pixels(links: Iterable[str]) -> bool:
    """Whether one of these links needs pixels that are normalised by public constants."""
    return any(LINKS.load(name).public_pixels for name in links)


def check_chain(config: FederatedConfig, algorithm: type[Algorithm], where: str) -> None:
    """Check a configuration's chain without PyTorch (``MedflError`` that says ``where``)."""
    for registry, named in (
        (LINKS, config.chain.links),
        (RULES, {config.chain.rule: config.chain.rule_params}),
    ):
        params: dict[str, Any]
        for name, params in named.items():
            registry.check_params(name, params, f"{where}: the {registry.what} `{name}`")
    with naming(where):
        build_chain(config, algorithm)
