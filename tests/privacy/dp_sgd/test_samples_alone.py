"""Whether samples act on each other is told apart from what rounding does."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from medfl.errors import MedflError
from medfl.models.flat import FlatModel
from medfl.privacy.dp_sgd.proof import check_alone
from medfl.privacy.dp_sgd.sample_gradients import SampleGradients

LABELS = torch.tensor([0, 1])


class Rounding(nn.Module):
    """Its ReLUs are at 1e-8, and one rounding error of its precision per further sample below 0.

    So in single precision two samples switch them off, and in double precision nothing does. It is
    what another order of sums does to a deep network, here on any machine.
    """

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 5)
        self.head = nn.Linear(5, 3)
        self.register_buffer("shift", torch.full((5,), 1e-8))

    def forward(self, x):
        hidden = self.layer(x)
        error = torch.finfo(hidden.dtype).eps * (len(hidden) - 1)
        return self.head(torch.relu(hidden - hidden.detach() + self.shift - error))


class Mixing(nn.Module):
    """Takes a twentieth of the batch's mean off each sample."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, x):
        out = self.layer(x)
        return out - 0.05 * out.mean(0)


def check(module, loss=cross_entropy, mixed=False):
    model = FlatModel(module)
    before = [model.vector.clone(), model.buffers.clone()]
    places = [one.data_ptr() for one in (*module.parameters(), *module.buffers())]

    def backward(images, labels):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            value = loss(module(images), labels)
        value.backward()
        return value.detach()

    images = torch.randn(2, 6, generator=torch.Generator().manual_seed(0))
    try:
        check_alone(SampleGradients(module), model, images, LABELS, backward)
    finally:
        assert torch.equal(model.vector, before[0])
        assert torch.equal(model.buffers, before[1])
        assert places == [one.data_ptr() for one in (*module.parameters(), *module.buffers())]
        assert all(one.grad is None for one in module.parameters())
        assert module.training


def test_rounding_is_no_mixing():
    torch.manual_seed(0)
    check(Rounding())


def test_to_take_a_twentieth_of_the_mean_off_is():
    torch.manual_seed(0)
    with pytest.raises(MedflError, match="not that of the sample alone"):
        check(Mixing())


def test_a_loss_in_single_precision_alone_is_judged_as_far_as_that_goes():
    """Its tensor meets no double; a sum in place of a mean is seen all the same."""
    torch.manual_seed(0)
    weights = torch.eye(3)

    def mean(logits, labels):
        return cross_entropy(logits @ weights, labels)

    def total(logits, labels):
        return cross_entropy(logits @ weights, labels, reduction="sum")

    check(Mixing(), loss=mean)  # a twentieth is within a tenth, and there is no other judge
    with pytest.raises(MedflError, match="not that of the sample alone"):
        check(Mixing(), loss=total)


def test_in_mixed_precision_too():
    torch.manual_seed(0)
    check(Rounding(), mixed=True)
    with pytest.raises(MedflError, match="not that of the sample alone"):
        check(Mixing(), mixed=True)


def test_double_precision_reaches_the_frozen_copies_and_leaves_no_trace():
    torch.manual_seed(0)
    model = FlatModel(Rounding())
    twin = model.twin("previous")
    with model.in_double():
        for one in (model, twin):
            assert {p.dtype for p in one.module.parameters()} == {torch.float64}
            assert {b.dtype for b in one.module.buffers()} == {torch.float64}
    for one in (model, twin):
        assert {p.dtype for p in one.module.parameters()} == {torch.float32}
        one.vector.zero_()
        one.buffers.zero_()
        assert not any(bool(p.any()) for p in (*one.module.parameters(), *one.module.buffers()))
