"""FLTrust. Cao, Fang, Liu and Gong, FLTrust: Byzantine-Robust Federated Learning via Trust
Bootstrapping, NDSS 2021, algorithm 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from medfl.chain.combine import Combination
from medfl.chain.message import STATISTICS, Message
from medfl.config import DP_LINKS
from medfl.errors import MedflError
from medfl.robustness.rule import RobustRule
from medfl.robustness.updates import Updates

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain.roles import Algorithm, Server
    from medfl.config import FederatedConfig


class FLTrust(RobustRule):
    """Trusts updates as far as they point where the server's own update points.

    The server trains on a root set as a client does, which gives g₀ in each part. An update g_i
    has the trust max(0, cos(g_i, g₀)), is scaled to ‖g₀‖, and the mean is weighted by trust, in
    place of the sum's weights. Where nobody is trusted nothing moves. Statistics are scaled down
    and never up, so that variances stay positive.

    The root set is patients of the training fold, drawn over all clients by the split's seed, who
    train at the server and at no client. The record counts them.
    """

    class Params(RobustRule.Params):
        """root_patients: how many patients the server trains on."""

        root_patients: int = Field(20, ge=1)

    least = (0, 0)
    least_word = "0 < n"
    effect = "clients count as far as their update points where that of the server's own set does"

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._root: tuple[int, Message] | None = None

    @property
    def root_patients(self) -> int:
        """How many patients of the training fold the server needs."""
        return int(self.params.root_patients)

    def check(self, config: FederatedConfig, algorithm: type[Algorithm]) -> None:
        """Refuse differential privacy, which has no account for the server's own patients."""
        super().check(config, algorithm)
        if private := sorted(DP_LINKS & config.chain.links.keys()):
            raise MedflError(
                f"the rule {config.chain.rule} trains on patients at the server, of whom "
                f"{private[0]} keeps no account: leave one of them out."
            )

    def setup(self, server: Server) -> None:
        """Refuse a federation without a root set, or whose algorithm keeps state with clients."""
        super().setup(server)
        rule, name = server.config.chain.rule, type(server.algorithm).__name__
        if not len(server.data.root):
            raise MedflError(
                f"the rule {rule} has no root set: open the data with "
                "`medfl.federated.with_root_set`, as `medfl run` does."
            )
        if server.algorithm.keeps_state or server.algorithm.local_names(server.model):
            raise MedflError(
                f"{name} keeps something with each client, so {rule} cannot compare a root set "
                "with them: take another rule or algorithm."
            )
        self._server = server
        self.note += f"; its root set is {self.root_patients} patients, who train at no client"

    def start(self) -> Combination:
        """Train on the root set, once a round, and open the round without a message."""
        if self._root is None or self._root[0] != self.round:
            self._root = self.round, self._server.root_message()
        return super().start()

    def locate(self, updates: Updates, f: int) -> Tensor:
        """The mean (k,) by trust."""
        assert self._root is not None
        own = self._root[1].parts[updates.name].value
        rows, count = updates.joined(own), len(updates)
        products, squares = rows.products(count), rows.squared_norms()
        lengths = squares.sqrt()
        apart = (lengths[:count] * lengths[count]).clamp(min=1e-300)
        trust = (products[:count] / apart).clamp(min=0)
        scale = lengths[count] / lengths[:count].clamp(min=1e-300)
        if updates.name == STATISTICS:
            scale = scale.clamp(max=1)
        coefficients = squares.new_zeros(count + 1)
        if float(trust.sum()) > 0:
            coefficients[:count] = trust * scale / trust.sum()
        return rows.combined(coefficients)
