"""What algorithms share whose clients keep a whole model of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medfl.algorithms.fedavg import FedAvg

if TYPE_CHECKING:
    from medfl.chain.roles import Client
    from medfl.models.flat import FlatModel


class OwnModel(FedAvg):
    """Each client keeps a model of its own, and uses it on its own patients."""

    evaluated = "personal"
    statistics = "global model: averaged; personal models: each client's own"
    keeps_state = True

    def keep_own(self, client: Client, model: FlatModel) -> None:
        """Let ``model`` be the client's own from now on."""
        client.keep(personal=model.vector.clone(), personal_buffers=model.buffers.clone())

    def load_own(self, client: Client, model: FlatModel) -> bool:
        """Load the client's own model into ``model``, if it has one."""
        if "personal" not in client.state:
            return False
        model.load(client.state["personal"], client.state["personal_buffers"])
        return True

    def personal_model(self, client: Client, model: FlatModel) -> None:
        """Load the client's own model, or before its first round the server's."""
        if not self.load_own(client, model):
            client.receive(model)
