"""One account for each client and the whole run: its noised steps, its ε, and when it stops."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from medfl.errors import MedflError
from medfl.privacy.dp_sgd.budget import Budget
from medfl.privacy.dp_sgd.settings import DescentParams

log = logging.getLogger(__name__)


class Accounts:
    """The clients' budgets, and what of them is spent.

    Steps are counted when a round is opened, before any of them is taken. So what a client does not
    answer counts all the same.

    Attributes:
        budgets: client → its mechanism; the clients' ids ascend.
    """

    def __init__(self, name: str, params: DescentParams, budgets: Mapping[int, Budget]) -> None:
        self.budgets = dict(budgets)
        self._name, self._params = name, params

    def check(self) -> None:
        """Refuse a budget that no client's round keeps to (``MedflError``)."""
        none = self._without_a_round()
        if none and len(none) == sum(one.planned > 0 for one in self.budgets.values()):
            one = min(none.values(), key=lambda one: one.rate)
            spent = one.epsilon(one.steps)
            shown = "infinite" if spent is None else f"{spent:.3g}"
            raise MedflError(
                f"{self._name}: target_epsilon is {self._params.target_epsilon:g}, and one round "
                f"of {one.steps} steps spends {shown} or more at every client (noise_multiplier "
                f"{one.noise:g}): raise one of these two, or lower batch_size or local_steps."
            )

    def warn(self, unit: str) -> None:
        """Warn of a large δ, and of clients that take no part; ``unit`` is what one ε protects."""
        small = [str(client) for client, one in self.budgets.items() if one.delta >= 1 / one.size]
        if small:
            log.warning(
                "%s: δ = %g is not below 1/n for the clients %s: it would allow to publish one %s "
                "outright. Choose target_delta below 1/n.",
                self._name,
                self._params.target_delta,
                ", ".join(small),
                unit,
            )
        if none := self._without_a_round():
            log.warning(
                "%s: one round spends more than target_epsilon at the clients %s, which take no "
                "part",
                self._name,
                ", ".join(map(str, none)),
            )

    def _without_a_round(self) -> dict[int, Budget]:
        return {k: one for k, one in self.budgets.items() if one.planned and not one.allows(0)}

    def begin(self) -> dict[str, dict[int, int]]:
        """The state before the first round: nothing is spent."""
        return {"steps": dict.fromkeys(self.budgets, 0), "spent_from": {}}

    def open(
        self, state: Mapping[str, dict[int, int]], number: int, clients: list[int]
    ) -> tuple[list[int], dict[str, dict[int, int]]]:
        """Who of ``clients`` may take part in round ``number``, and the state with its steps."""
        steps, spent_from = dict(state["steps"]), dict(state["spent_from"])
        chosen = []
        for client in clients:
            if self.budgets[client].allows(steps[client]):
                steps[client] += self.budgets[client].steps
                chosen.append(client)
            elif client not in spent_from:
                spent_from[client] = number
                if steps[client]:  # else `warn` has said that no round is small enough
                    log.warning(
                        "%s: client %d has spent its budget and takes no part from round %d on",
                        self._name,
                        client,
                        number,
                    )
        return chosen, {"steps": steps, "spent_from": spent_from}

    def spent(self, state: Mapping[str, dict[int, int]]) -> dict[int, float | None]:
        """Client → its ε so far; None where it is infinite."""
        return {client: one.epsilon(state["steps"][client]) for client, one in self.budgets.items()}

    def largest(self, state: Mapping[str, dict[int, int]]) -> float | None:
        """The largest ε of the clients so far; None where one is infinite."""
        found = list(self.spent(state).values())
        finite = [epsilon for epsilon in found if epsilon is not None]
        return max(finite, default=0.0) if len(finite) == len(found) else None

    def record(self, state: Mapping[str, dict[int, int]]) -> dict[str, dict[str, Any]]:
        """Every client's constants, its steps, its ε, and from which round on it was left out."""
        spent = self.spent(state)
        return {
            str(client): {
                "public_size": one.size,
                "sampling_rate": one.rate,
                "expected_sample": one.expected,
                "noise_multiplier": one.noise,
                "steps": state["steps"][client],
                "epsilon": spent[client],
                "spent_from_round": state["spent_from"].get(client),
            }
            for client, one in self.budgets.items()
        }
