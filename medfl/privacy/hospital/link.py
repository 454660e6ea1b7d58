"""Differential privacy of whole hospitals (client level). McMahan, Ramage, Talwar and Zhang,
Learning Differentially Private Recurrent Language Models, ICLR 2018, algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from medfl.chain import Link, Message, NotFiniteError, Part, Total
from medfl.errors import MedflError
from medfl.privacy.hospital.adaptive import UNCLIPPED
from medfl.privacy.hospital.agreed import AgreedParts
from medfl.privacy.hospital.mechanisms import SkellamSums
from medfl.privacy.hospital.plan import HospitalPlan, hospital_plan
from medfl.privacy.hospital.refusals import (
    MASKS,
    check_hospital_chain,
    check_hospital_params,
    warn_of_delta,
)
from medfl.privacy.hospital.settings import HospitalParams
from medfl.privacy.norms import bounded, joint_norm, private_parts
from medfl.privacy.public_counts import public_gradients
from medfl.privacy.randomness import DrawingLink
from medfl.results.columns import Column

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain.roles import Algorithm, Client, Server
    from medfl.config import FederatedConfig


class HospitalPrivacy(DrawingLink):
    """Bounds each hospital's update by one norm, and has noise added to the sum.

    The sum is divided by the number of hospitals that is expected, which is public, whoever
    answers. The training loss, and whether an update was clipped, stay with the hospital.
    """

    class Params(HospitalParams):
        """Those of ``HospitalParams``."""

    stage = "clip"
    sums_alone = True
    public_pixels = True
    columns: ClassVar[tuple[Column, ...]] = (
        Column("epsilon", "Privacy budget ε spent, the largest of the clients"),
        Column("update_bound", "Bound of a hospital's update"),
    )
    client_columns: ClassVar[tuple[Column, ...]] = (
        Column("epsilon", "Privacy budget ε that the client has spent"),
    )

    _plan: HospitalPlan

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._masks: Link | None = None
        self._agreed = AgreedParts()
        self._stand_in: int | None = None

    @property
    def effect(self) -> str:
        """Say who counts less, and that the mean is noised."""
        hidden = "" if self.params.noise_multiplier == 0.0 else ", and noise is added to their sum"
        return f"hospitals whose update is longer than its bound count less{hidden}"

    def check(
        self, config: FederatedConfig, algorithm: type[Algorithm], links: Sequence[Link]
    ) -> None:
        """Refuse what its ε would not hold with."""
        check_hospital_params(self.params)
        check_hospital_chain(self.params, config, links)
        self._masks = next((link for link in links if link.name == MASKS), None)

    def setup(self, server: Server) -> None:
        """Choose all constants before anything is seen; nothing is spent yet."""
        import torch

        self._plan = hospital_plan(self.params, server, self._masks)
        if self._plan.shares is not None:  # where fewer are opened, fewer shares would hide them
            masks: Any = self._masks
            masks.hold_to(self._plan.shares.threshold)
        bound = torch.tensor(self.params.max_grad_norm, dtype=torch.float64)
        self.state = {**self._plan.attendance.begin(), "bound": bound}

    @property
    def bound(self) -> float:
        """C of the round under way."""
        return float(self.state["bound"])

    def open(self, number: int, clients: list[int]) -> list[int]:
        """Let those take part whose budget allows it; below a sampling rate of 1, draw them.

        Where nobody is drawn, one hospital stands in with an update of zeros: the noised sum of
        nobody is a release as any other, and must look like one.
        """
        if number == 1:  # the log of the run is open now
            warn_of_delta(self.params, len(self._plan.attendance.clients))
        self._agreed, self._stand_in, self._used = AgreedParts(), None, self.bound
        chosen, self.state = self._plan.attendance.open(self.state, number, clients)
        if self.params.sampling_rate == 1.0 or not chosen:
            return chosen
        from medfl.privacy.draws import uniforms

        everyone = self._plan.attendance.clients
        drawn = uniforms(len(everyone), self.source(number, "hospitals")).tolist()
        taking_part = [
            client
            for client, value in zip(everyone, drawn, strict=True)
            if value < self.params.sampling_rate and client in chosen
        ]
        if not taking_part:
            self._stand_in = chosen[0]
        return taking_part or chosen[:1]

    def message(self, client: Client, message: Message) -> Message:
        """Bound the update over all its private parts; keep the loss from the server.

        Raises:
            NotFiniteError: its norm is not finite.
        """
        parts, scales = private_parts(message), self.params.scales
        unknown = sorted(scales.keys() - parts.keys())
        if unknown:
            raise MedflError(
                f"dp_hospital: scales names the part {unknown[0]}, and the private parts of this "
                f"algorithm's messages are {', '.join(parts)}."
            )
        norm = joint_norm(parts, scales)
        if not math.isfinite(norm):  # as of entries whose squares overflow
            raise NotFiniteError("the norm of its update is not finite, so that nothing bounds it")
        changed = bounded(parts, norm, self.bound)
        if client.id == self._stand_in:
            changed = {n: part.with_update(part.update * 0.0) for n, part in changed.items()}
        if self._plan.adaptive is not None:
            within = 0.0 if client.id == self._stand_in else 0.5 if norm <= self.bound else -0.5
            changed[UNCLIPPED] = Part(client.server.vector.new_tensor([within]), client.weight)
        given = {**message.parts, **changed}
        if self._plan.shares is not None:
            assert isinstance(self._plan.sums, SkellamSums)
            key = client.server.round, client.id
            changed = self._plan.shares.noised(
                changed, scales, self._plan.sums, lambda what: self.source(what, *key)
            )
        sent = {**message.parts, **changed}
        self._agreed.take(given, sent)
        gradients = public_gradients(message, client.server)
        return replace(message, parts=sent, loss=None, gradients=gradients, forwards=None)

    def close(
        self, number: int, total: dict[str, Total], answered: Sequence[int]
    ) -> dict[str, Total]:
        """Put (Σ Δ + noise) / m in the place of every private part's mean update."""
        noised = {}
        for name, part in total.items():
            of = self._agreed[name]
            if name == UNCLIPPED:
                self._move_bound(number, float(part.update) / of.travels)
                continue
            mean, weight = part.mean, of.weight * self._plan.expected
            if of.private:
                moved = part.update / of.travels
                if self.params.noise == "central":
                    moved += self._noise(number, name, moved)
                moved /= self._plan.expected
                mean = moved if of.base is None else of.base + moved
            noised[name] = Total(mean, weight, of.base)
        return noised

    def _noise(self, number: int, name: str, like: Tensor) -> Tensor:
        """N(0, (zC/a)²) for each entry of a part of scale a."""
        import torch

        from medfl.privacy.draws import normals

        deviation = self._plan.update_noise * self._used / self.params.scales.get(name, 1.0)
        on_cpu = torch.empty(like.shape, dtype=like.dtype)
        drawn = normals(on_cpu, self.source(number, "noise", name))
        noise: Tensor = drawn.to(like.device) * deviation
        return noise

    def _move_bound(self, number: int, count: float) -> None:
        import torch

        from medfl.privacy.draws import normals

        assert self._plan.adaptive is not None
        drawn = normals(torch.empty(1, dtype=torch.float64), self.source(number, "count"))
        count += float(drawn) * self._plan.adaptive.count_deviation
        bound = torch.tensor(self._plan.adaptive.next(self._used, count), dtype=torch.float64)
        self.state = {**self.state, "bound": bound}

    def _epsilon(self, releases: int) -> float | None:
        """ε after so many sums; None where it is infinite."""
        found = self._plan.sums.epsilon(releases)
        return found if math.isfinite(found) else None

    def row(self, notes: Sequence[dict[str, float]]) -> dict[str, float | None]:
        """The largest ε so far, and the round's bound."""
        spent = self._epsilon(self._plan.attendance.most(self.state))
        return {"epsilon": spent, "update_bound": self._used}

    def client_row(self, client: int) -> dict[str, float | None]:
        """The hospital's ε so far."""
        return {"epsilon": self._epsilon(self._plan.attendance.of(self.state, client))}

    def record(self) -> dict[str, Any]:
        """What followed from the parameters, and who has spent its budget."""
        return {
            "unit": "hospital",
            "randomness": self.randomness,
            **self._plan.record(),
            "update_bound": self.bound,
            "spent_from_round": self._plan.attendance.spent(self.state),
        }

    def privacy(self) -> dict[str, Any]:
        """What it promises, and what it takes for public."""
        given, releases = self.params, self._plan.attendance.most(self.state)
        public = [
            "the number of hospitals, and of those expected in a round",
            "every hospital's weight, which is the same, and its local steps",
        ]
        if given.sampling_rate == 1.0:
            public.append("who takes part in which round")
        return {
            "mechanism": self.name,
            "unit": "hospital",
            "epsilon": self._epsilon(releases),
            "delta": given.target_delta,
            "adjacency": "one hospital's updates replaced by zeros",
            "accountant": self._plan.sums.accountant,
            "noise": given.noise,
            "noise_multiplier": self._plan.sums.noise,
            "max_grad_norm": given.max_grad_norm,
            "sampling_rate": given.sampling_rate,
            "target_epsilon": given.target_epsilon,
            "releases": releases,
            "public": public,
        }
