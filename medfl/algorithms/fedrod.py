"""FedRoD. Chen and Chao, On Bridging Generic and Personalized Federated Learning for Image
Classification, ICLR 2022.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from medfl.algorithms.fedavg import FedAvg
from medfl.algorithms.objective import averaged
from medfl.errors import MedflError

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain import Work
    from medfl.chain.roles import Client, Server
    from medfl.models.flat import FlatModel

_NONE = 1e-8  # counts for 0 images, whose logarithm would be infinite


class FedRoD(FedAvg):
    """A generic model, trained with balanced softmax, and a personal head added to its logits.

    The generic loss adds log n_c to the logit of each class c, of which the client has n_c images:
    so all clients train towards the answer for equal classes. The personal head is one linear
    layer on the same features, which begins at zero; it learns each client's own classes, and
    nothing flows back from it into the generic model. Generic answers (G-FL) are those for everyone
    and of a client that never took part, personal ones (P-FL) those for own patients.
    """

    evaluated = "personal"
    statistics = "averaged with the parameters' weights"
    unshared_descents = ("head",)
    counts_labels = True
    keeps_state = True

    def objective(self) -> str:
        """As FedAvg for the generic model; F_i for what is added."""
        generic = averaged(self.server, "B_i")
        return f"x: {generic}; B_i: F_i with balanced softmax; own heads: F_i of the summed logits"

    def extra_work(self) -> str:
        """Name the head's steps, which take no pass through the network."""
        return "a step of its own head with each step, on the same features"

    def setup(self, server: Server) -> None:
        """Refuse labels that are no classes of a softmax, and networks whose head is none."""
        from medfl.models.parts import linear_head

        if server.data.info.task == "multilabel":
            raise MedflError(
                "fedrod balances the classes of a softmax, and the images of "
                f"{server.data.info.name} have several labels at once: take another algorithm."
            )
        linear_head(server.model.module)

    def train(self, client: Client, model: FlatModel) -> Work:
        """Take each step of the generic model, and with its features one of the personal head."""
        counts = client.label_counts().to(model.vector.dtype)
        log_prior = counts.clamp(min=_NONE).log()
        head, network = self._own_head(client, model), model.module
        seen: list[Tensor] = []  # of the last batch: features, generic logits, labels

        def generic(model: FlatModel, images: Tensor, labels: Tensor, client: Client) -> Any:
            features: Tensor = network.forward_features(images)  # type: ignore[operator]
            logits: Tensor = network.head(features)  # type: ignore[operator]
            seen[:] = features.detach(), logits.detach(), labels
            return client.criterion(logits + log_prior, labels)

        def personal(head: FlatModel, features: Tensor, labels: Tensor, client: Client) -> Any:
            return client.criterion(seen[1] + head.module(features), labels)

        step = client.stepping(head, "head", loss=personal)
        work = client.descend(
            model, "train", loss=generic, beside=lambda images, labels: step(seen[0], seen[2])
        )
        client.keep(head=head.vector.clone())
        return work

    def personal_model(self, client: Client, model: FlatModel) -> None:
        """Load the generic model, whose head becomes the sum of both heads."""
        from medfl.models.parts import linear_head

        client.receive(model)
        if "head" in client.state:
            place = linear_head(model.module)
            layer = model.module.get_submodule(place)
            mask, _ = model.mask({f"{place}.{name}" for name, _ in layer.named_parameters()})
            mask = mask.to(model.vector.device)
            model.put(mask, model.vector[mask] + client.state["head"])

    def _own_head(self, client: Client, model: FlatModel) -> FlatModel:
        """The client's own head, which is zero before its first round."""
        # Imported here because it imports torch, without which a grid is checked.
        from medfl.models.flat import FlatModel
        from medfl.models.parts import linear_head

        layer = copy.deepcopy(model.module.get_submodule(linear_head(model.module)))
        head = FlatModel(layer.requires_grad_(True))
        kept = client.state.get("head")
        head.load(head.vector.new_zeros(head.vector.shape) if kept is None else kept, head.buffers)
        return head
