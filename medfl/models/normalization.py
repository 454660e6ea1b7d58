"""Finds normalisation layers, and puts group norm in the place of batch norm.

Layers are found by their type and never by their name: in torchvision a ResNet's ``downsample.1``
and half of DenseNet's layers are batch norms whose names do not say so.
"""

from __future__ import annotations

import torch
from torch import nn

from medfl.errors import MedflError

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
NORMALIZATIONS = (
    *BATCH_NORMS,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    nn.GroupNorm,
    nn.LayerNorm,  # torchvision's LayerNorm2d is one
    nn.RMSNorm,
    nn.LocalResponseNorm,
)
MAX_GROUPS = 32
MIN_CHANNELS_PER_GROUP = 4


def normalization_modules(model: nn.Module) -> dict[str, nn.Module]:
    """All normalisation layers of ``model``, by their module name."""
    return {name: m for name, m in model.named_modules() if isinstance(m, NORMALIZATIONS)}


def batch_norm_parameter_names(model: nn.Module) -> set[str]:
    """Names of the parameters and floating buffers (running statistics) of all batch norms.

    This is what FedBN keeps local (Li et al., ICLR 2021, algorithm 1). The names are those of
    ``model.named_parameters()`` and ``model.named_buffers()``.
    """
    return layer_entries(model, BATCH_NORMS)


def layer_entries(model: nn.Module, kinds: tuple[type[nn.Module], ...]) -> set[str]:
    """Names of the parameters and floating buffers of all layers of these ``kinds``."""
    names = set()
    for prefix, module in model.named_modules():
        if isinstance(module, kinds):
            tensors = dict(module.named_parameters()) | {
                name: b for name, b in module.named_buffers() if b.is_floating_point()
            }
            names |= {f"{prefix}.{name}" if prefix else name for name in tensors}
    return names


def group_count(channels: int) -> int:
    """The most groups, up to 32, into which ``channels`` divide with at least 4 in each.

    32 groups are the default of Wu & He, "Group Normalization", ECCV 2018. A group must hold
    several channels: on input without spatial extent (C groups of one value) every output is 0.
    """
    most = max(1, min(MAX_GROUPS, channels // MIN_CHANNELS_PER_GROUP))
    return next(g for g in range(most, 0, -1) if channels % g == 0)


def batch_to_group_norm(model: nn.Module) -> nn.Module:
    """Replace every batch norm in ``model`` by group norm, in place; return the model.

    Scale and shift are taken over, so that pretrained ones stay. Running statistics are dropped,
    because group norm has none. No random number is drawn.

    Raises:
        MedflError: a 1-D batch norm has fewer than 4 channels: hardly anything would be left.
    """
    if isinstance(model, BATCH_NORMS):
        return _group_norm(model, "the model")
    replaced: dict[nn.Module, nn.Module] = {}  # a layer used twice stays one layer
    for parent_name, parent in list(model.named_modules()):
        for name, child in list(parent._modules.items()):
            if isinstance(child, BATCH_NORMS):
                if child not in replaced:
                    replaced[child] = _group_norm(child, f"{parent_name}.{name}".lstrip("."))
                parent.register_module(name, replaced[child])
    return model


def _group_norm(norm: nn.Module, where: str) -> nn.GroupNorm:
    assert isinstance(norm, BATCH_NORMS)
    channels = norm.num_features
    if isinstance(norm, nn.BatchNorm1d) and channels < MIN_CHANNELS_PER_GROUP:
        raise MedflError(
            f"{where}: batch norm over {channels} channel(s) cannot become group norm, whose "
            f"output would hardly depend on its input. Make the layer at least "
            f"{MIN_CHANNELS_PER_GROUP} channels wide, or use normalization: batch."
        )
    group = nn.GroupNorm(group_count(channels), channels, eps=norm.eps, affine=norm.affine)
    if norm.affine:
        group.to(norm.weight.device, norm.weight.dtype)
        with torch.no_grad():
            group.weight.copy_(norm.weight)
            group.bias.copy_(norm.bias)
        group.weight.requires_grad_(norm.weight.requires_grad)
        group.bias.requires_grad_(norm.bias.requires_grad)
    return group.train(norm.training)
