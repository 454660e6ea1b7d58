"""Makes two-dimensional networks fit for volumes: every layer gets a depth.

The inflation is that of Carreira & Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017,
section 2.4 (I3D): a k×k kernel becomes k×k×k, repeated along depth and divided by k, so that a
volume of equal slices gives what the slice gave.
"""

from __future__ import annotations

import torch
from torch import nn

# Layer without weights → the same layer for volumes, and the options that both take.
_PLAIN: dict[type[nn.Module], tuple[type[nn.Module], tuple[str, ...]]] = {
    nn.MaxPool2d: (
        nn.MaxPool3d,
        ("kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode"),
    ),
    nn.AvgPool2d: (
        nn.AvgPool3d,
        ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"),
    ),
    nn.AdaptiveAvgPool2d: (nn.AdaptiveAvgPool3d, ("output_size",)),
    nn.AdaptiveMaxPool2d: (nn.AdaptiveMaxPool3d, ("output_size",)),
    nn.Dropout2d: (nn.Dropout3d, ("p", "inplace")),
}


def inflate(net: nn.Module) -> nn.Module:
    """Turn the 2-D layers in ``net`` into 3-D ones, in place; return the network.

    Convolutions are inflated, batch norms keep weights and statistics, pools get the depth that
    they have in height. Where a network pools by a function and not by a layer, the caller must
    change that (for torchvision's DenseNet see ``DenseFeatures``).
    """
    for parent in list(net.modules()):
        for name, child in list(parent._modules.items()):
            if child is not None:
                parent.register_module(name, _inflated(child))
    return net


def _inflated(layer: nn.Module) -> nn.Module:
    if isinstance(layer, nn.Conv2d):
        return inflate_convolution(layer)
    if isinstance(layer, nn.BatchNorm2d):
        norm = nn.BatchNorm3d(
            layer.num_features,
            layer.eps,
            layer.momentum,
            layer.affine,
            layer.track_running_stats,
        )
        norm._parameters, norm._buffers = layer._parameters, layer._buffers
        return norm.train(layer.training)
    for flat, (deep, options) in _PLAIN.items():
        if type(layer) is flat:
            return deep(**{option: _deep(getattr(layer, option)) for option in options})
    return layer


def inflate_convolution(layer: nn.Conv2d, depth: int | None = None) -> nn.Conv3d:
    """The convolution of volumes that gives on equal slices what ``layer`` gives on one.

    Args:
        layer: a convolution of images, with a kernel (O, I, h, w).
        depth: the kernel's size along depth, odd; the output then is as deep as the input. If it
            is None, depth gets the kernel size, stride and padding of height.
    """
    kernel = layer.kernel_size[0] if depth is None else depth
    assert not isinstance(layer.padding, str)
    (height, width), (rows, columns), (dilation, across) = (
        layer.stride,
        layer.padding,
        layer.dilation,
    )
    deep = nn.Conv3d(
        layer.in_channels,
        layer.out_channels,
        (kernel, layer.kernel_size[0], layer.kernel_size[1]),
        (height if depth is None else 1, height, width),
        (rows if depth is None else depth // 2, rows, columns),
        (dilation if depth is None else 1, dilation, across),
        layer.groups,
        layer.bias is not None,
        layer.padding_mode,
    ).to(layer.weight.device, layer.weight.dtype)
    with torch.no_grad():
        deep.weight.copy_(layer.weight.unsqueeze(2) / kernel)  # broadcast: repeated along depth
        if layer.bias is not None and deep.bias is not None:
            deep.bias.copy_(layer.bias)
    return deep


class DenseFeatures(nn.Module):
    """Torchvision's DenseNet up to its classifier, pooling over any number of dimensions.

    Its own ``forward`` calls ``adaptive_avg_pool2d``, which takes no volumes.
    """

    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features (N, F) of volumes (N, C, D, H, W)."""
        features: torch.Tensor = self.features(x).relu()
        return features.flatten(2).mean(2)


def draw_again(net: nn.Module, mode: str) -> None:
    """Give all convolutions new Kaiming weights of ``mode`` (fan_in or fan_out), and biases of 0.

    Without this, random kernels that were inflated would be alike in every slice.
    """
    for layer in net.modules():
        if isinstance(layer, nn.Conv3d):
            nn.init.kaiming_normal_(layer.weight, mode=mode, nonlinearity="relu")  # type: ignore[arg-type]
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _deep(value: object) -> object:
    """An option of a 2-D layer in 3-D: (h, w) becomes (h, h, w)."""
    return (value[0], *value) if isinstance(value, tuple) else value
