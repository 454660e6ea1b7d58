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
PASSES = 20
"""Of alternating least squares. Without noise two or three are enough."""


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


def invert_linear(
    weight: Tensor, bias: Tensor, known: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """The images that an update of a linear layer gives away, (R, inputs).

    The first is the least-squares answer of all units together, which is exact for one image and
    the best under noise; then comes that of each unit. Where entries are missing, only the first
    is given.

    Args:
        weight: (units, inputs), the update of the layer's weight.
        bias: (units,), that of its bias.
        known: which entries of both are seen; None for all. The others must be 0.
    """
    import torch

    weight, bias = weight.double(), bias.double()
    largest = float(bias.abs().max())
    if largest == 0.0:
        return weight.new_zeros(1, weight.shape[1])
    if known is not None:
        entries = torch.cat([weight, bias[:, None]], dim=1)
        seen = torch.cat([known[0], known[1][:, None]], dim=1).double()
        return _completed(entries, seen)[None]
    speaks = bias.abs() > FAINT * largest
    together = (bias @ weight) / (bias @ bias)
    return torch.cat([together[None], weight[speaks] / bias[speaks, None]])


def _completed(entries: Tensor, seen: Tensor) -> Tensor:
    """The image of which some entries of δ (x, 1)ᵀ are seen, by alternating least squares.

    It starts from the units whose bias is seen. What they tell of some pixels tells δ of further
    units, and these tell of further pixels.

    Args:
        entries: (units, inputs + 1); 0 where they are not seen.
        seen: (units, inputs + 1), 1 where they are.

    Returns:
        (inputs,); 0 for a pixel of which nothing is known.
    """
    units = entries[:, -1]
    image = _fitted(units, entries, seen)
    for _ in range(PASSES):
        units = _fitted(image, entries.T, seen.T)
        image = _fitted(units, entries, seen)
        image = image / image[-1]  # the scale: 1 stands at the bias
    return image[:-1]


def _fitted(one: Tensor, entries: Tensor, seen: Tensor) -> Tensor:
    """The b that brings a bᵀ nearest to the entries that are seen, for a given a; 0 where none is.

    b_j = Σ_i s_ij a_i m_ij / Σ_i s_ij a_i²
    """
    squares = one**2 @ seen
    return (one @ entries) / squares.where(squares > 0, 1.0)
