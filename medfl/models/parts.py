"""Parts of a network: its head, and what is trained alone for a while."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from torch import nn

from medfl.errors import MedflError


def head_names(network: nn.Module) -> set[str]:
    """Names of the parameters and floating buffers of the classifier, which is the ``head``.

    All built-in networks have one (``Classifier``), those of volumes and with late fusion too.

    Raises:
        MedflError: the network has no head, or a head without parameters.
    """
    head = getattr(network, "head", None)
    if not isinstance(head, nn.Module) or not any(True for _ in head.parameters()):
        missing = "`head` has no parameters" if isinstance(head, nn.Module) else "has no `head`"
        raise MedflError(
            f"the algorithm treats a network's head apart, and this network {missing}: give it "
            "its classifier under that name, as medfl.models.Classifier(backbone, head) does."
        )
    buffers = [name for name, buffer in head.named_buffers() if buffer.is_floating_point()]
    return {f"head.{name}" for name in (*dict(head.named_parameters()), *buffers)}


def linear_head(network: nn.Module) -> str:
    """The name of the one linear layer of a head on ``forward_features``.

    Of a head such as ``Sequential(Dropout, Linear)`` it is the layer with parameters.

    Raises:
        MedflError: the network gives no features, or its head is another.
    """
    head_names(network)
    head = network.get_submodule("head")
    layers = [
        (f"head.{name}".rstrip("."), layer)
        for name, layer in head.named_modules()
        if any(True for _ in layer.parameters(recurse=False))
    ]
    if not hasattr(network, "forward_features") or not (
        len(layers) == 1 and isinstance(layers[0][1], nn.Linear)
    ):
        raise MedflError(
            "the algorithm adds the logits of a second head, so the network needs "
            "`forward_features(images)` and a `head` with one nn.Linear on them, as all built-in "
            "networks have."
        )
    return layers[0][0]


def top_names(network: nn.Module, layers: int) -> set[str]:
    """Names of the parameters of the last so many layers that have some, as they are registered.

    The top layer of a built-in network is its head.
    """
    found = [
        {f"{place}.{name}".lstrip(".") for name, _ in layer.named_parameters(recurse=False)}
        for place, layer in network.named_modules()
    ]
    return set().union(*[names for names in found if names][-layers:])


@contextmanager
def frozen(network: nn.Module, names: Collection[str]) -> Iterator[None]:
    """Within the block the named parameters of ``network`` need no gradient and do not move."""
    still = [p for name, p in network.named_parameters() if name in names and p.requires_grad]
    try:
        for parameter in still:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in still:
            parameter.requires_grad_(True)
