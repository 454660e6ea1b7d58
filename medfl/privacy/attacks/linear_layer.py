"""Images from the gradient of a linear layer, exactly. Phong, Aono, Hayashi, Wang and Moriai,
Privacy-Preserving Deep Learning via Additively Homomorphic Encryption, IEEE TIFS 2018, section 3;
Geiping, Bauermeister, Dröge and Moeller, Inverting Gradients, NeurIPS 2020, proposition 3.1.

For z = W x + b the gradients of sample i are ∂L/∂W = δ_i x_iᵀ and ∂L/∂b = δ_i. So each row of the
one over its entry of the other is x_i, whatever the loss, the layers behind, the learning rate and
the number of steps. Of a batch, a row gives the mean of the x_i with weights δ_i of that unit: the
image itself where one image alone reaches the unit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medfl.errors import MedflError

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.models.flat import FlatModel

FAINT = 1e-6
"""A unit whose bias moved less than this part of the largest says nothing of an image."""


def linear_layer(model: FlatModel, inputs: int) -> tuple[int, int]:
    """Positions of weight and bias of the first linear layer among the model's parameters.

    Args:
        model: the network.
        inputs: pixels of an image times its channels, which the layer must see.

    Raises:
        MedflError: no linear layer with a bias sees the pixels.
    """
    from torch import nn

    places = {id(p): at for at, p in enumerate(model.module.parameters())}
    for module in model.module.modules():
        if isinstance(module, nn.Linear) and module.bias is not None:
            if module.in_features == inputs:
                return places[id(module.weight)], places[id(module.bias)]
            break
    raise MedflError(
        f"the network has no linear layer with a bias that sees all {inputs} pixels first, which "
        "the analytic attack needs: choose mlp or logistic."
    )


def invert_linear(weight: Tensor, bias: Tensor) -> Tensor:
    """The images that an update of a linear layer gives away, (R, inputs).

    The first is the least-squares answer of all units together, which is exact for one image and
    the best under noise; then comes that of each unit.

    Args:
        weight: (units, inputs), the update of the layer's weight.
        bias: (units,), that of its bias.
    """
    import torch

    weight, bias = weight.double(), bias.double()
    largest = float(bias.abs().max())
    if largest == 0.0:
        return weight.new_zeros(1, weight.shape[1])
    speaks = bias.abs() > FAINT * largest
    together = (bias @ weight) / (bias @ bias)
    return torch.cat([together[None], weight[speaks] / bias[speaks, None]])
