"""The networks by name. Importing this imports no torch."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from medfl.errors import MedflError
from medfl.registry import Registry

if TYPE_CHECKING:
    from torch import nn

# A network is a class or a function that gives an ``nn.Module``; ``build_model`` says which
# arguments it gets.
MODELS: Registry[Callable[..., nn.Module]] = Registry(
    "model",
    package="medfl.models",
    names={
        "cnn": "small:cnn",
        "mlp": "small:mlp",
        "logistic": "small:logistic",
        "resnet18": "backbones:resnet18",
        "resnet50": "backbones:resnet50",
        "densenet121": "backbones:densenet121",
        "efficientnet_b0": "backbones:efficientnet_b0",
    },
)

# Every network gets these arguments by name: how many logits it gives, and what images it sees.
ARGUMENTS = ("num_classes", "in_channels", "image_size")


def check_model(name: str, params: Mapping[str, Any], where: str) -> None:
    """Check a network's name and its further arguments without building it.

    A built-in network has no further arguments, and its module is not imported. A person's own
    network is imported, and must be callable as
    ``Net(num_classes=…, in_channels=…, image_size=…, **params)``.

    Raises:
        MedflError: the name is unknown, or the network does not take these arguments.
    """
    for key in params:
        if name in MODELS:
            raise MedflError(f"{where}: unknown key `{key}`: the network `{name}` has no params.")
        if key in ARGUMENTS:
            raise MedflError(f"{where}: `{key}` follows from the data: leave it out.")
    if name in MODELS:
        return
    build = MODELS.load(name)
    try:
        inspect.signature(build).bind(**dict.fromkeys(ARGUMENTS), **params)
    except TypeError as error:
        raise MedflError(
            f"{where}: the model `{name}` is called with {', '.join(ARGUMENTS)} and the keys of "
            f"params, and does not take them: {error}."
        ) from error
