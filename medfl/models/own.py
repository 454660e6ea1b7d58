"""A person's own network: built as the data need it, and tried before anything is trained."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from medfl.errors import MedflError, own_code
from medfl.own_draws import drawing
from medfl.streams import stream_seed


def build_own(
    name: str, build: Callable[..., nn.Module], given: Mapping[str, Any], number: int = 0
) -> nn.Module:
    """Build a person's own network, and try it on two black images.

    Args:
        name: the word of the configuration.
        build: the class or function.
        given: what it is called with.
        number: which of several networks of one model it is; PyTorch's seed and this decide what
            it draws from the generators of the whole process.

    Raises:
        MedflError: it cannot be called so, it is no network that can be trained, or it gives no
            logits.
    """
    with drawing(stream_seed(torch.initial_seed(), "network", number)):
        with own_code(f"the model `{name}` cannot be built"):
            model = build(**given)
        if not isinstance(model, nn.Module):
            kind = type(model).__name__
            raise MedflError(f"the model `{name}` gave {kind}, not a torch.nn.Module.")
        black = torch.zeros((2, given["in_channels"], *given["image_size"]))
        training = model.training
        logits = _tried(name, model.eval(), black)
        model.train(training)
        _check_parameters(name, model)
        _check_logits(name, logits, (2, given["num_classes"]))
        # A network that answers without gradients in evaluation mode may have them in training.
        if not logits.requires_grad:
            logits = _tried(name, copy.deepcopy(model).train(), black)
    if not getattr(logits, "requires_grad", False):
        raise MedflError(
            f"the model `{name}` gives logits that do not depend on any of its parameters that can "
            "be trained: look for `detach`, `no_grad`, `requires_grad = False`, or a constant."
        )
    return model


def _tried(name: str, model: nn.Module, images: torch.Tensor) -> Any:
    """What a network answers, with gradients: they say whether anything can be learnt from it."""
    shape = tuple(images.shape)
    with own_code(f"the model `{name}` fails on images of shape {shape}"), torch.enable_grad():
        return model(images)


def _check_parameters(name: str, model: nn.Module) -> None:
    """Refuse a network whose parameters cannot lie side by side in one vector."""
    parameters = dict(model.named_parameters())
    if not parameters:
        raise MedflError(
            f"the model `{name}` has no parameters, so nothing can be trained: assign its layers "
            "in __init__, as in `self.layer = nn.Linear(…)`."
        )
    for place, one in parameters.items():
        where = f"the model `{name}`: its parameter `{place}`"
        if nn.parameter.is_lazy(one):
            raise MedflError(f"{where} has no values after a forward pass: use it or leave it out.")
        if one.layout != torch.strided or one.device.type != "cpu":
            raise MedflError(
                f"{where} is {one.layout} on the device `{one.device}`: it must be an ordinary, "
                "dense tensor on the CPU (torch.strided); medfl moves the network where it trains."
            )
        if not one.is_floating_point():
            raise MedflError(
                f"{where} has {one.dtype}: it must have real numbers with a fraction, such as "
                "torch.float32; what is not trained is a buffer (`register_buffer`)."
            )
        if not torch.isfinite(one).all():
            raise MedflError(f"{where} begins with NaN or infinite values: set others.")


def _check_logits(name: str, logits: Any, wanted: tuple[int, int]) -> None:
    if not isinstance(logits, torch.Tensor) or logits.shape != wanted:
        got = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise MedflError(
            f"the model `{name}` gives {got} for two images, but logits of shape {wanted} are "
            "needed: a column for each class."
        )
    if not logits.is_floating_point():
        raise MedflError(
            f"the model `{name}` gives logits of {logits.dtype}; needed are real numbers with a "
            "fraction, such as torch.float32."
        )
