"""In a thread layers draw what PyTorch draws from its own generator, and leave that one alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from medfl.errors import MedflError
from medfl.federated.thread_draws import ThreadLayerStream
from medfl.models import build_model
from medfl.models.torchvision_cpu import import_torchvision

IMAGES = torch.randn(4, 6, 8, 8, generator=torch.Generator().manual_seed(1))


class Calls(nn.Module):
    """A network of a person's own that draws by itself."""

    def __init__(self, draw):
        super().__init__()
        self.draw = draw

    def forward(self, images):
        return images * self.draw(images.detach())


def both(build, images, seed=5):
    """Two steps by PyTorch's own generator, and two in a thread's way, each with its gradient."""
    found = []
    for layers in (None, ThreadLayerStream(seed)):
        torch.manual_seed(seed)
        network, steps = build().train(), []
        torch.manual_seed(seed)
        before = torch.default_generator.get_state()
        for _ in range(2):
            given = images.clone().requires_grad_()
            if layers is None:
                output = network(given * 1)
                output.square().sum().backward()
            else:
                with layers:
                    output = network(given * 1)
                    output.square().sum().backward()
            steps += [output.detach(), given.grad]
        moved = not torch.equal(before, torch.default_generator.get_state())
        found.append((steps, moved))
    return found


def assert_same(build, images=IMAGES):
    (plain, _), (ours, moved) = both(build, images)
    for a, b in zip(plain, ours, strict=True):
        assert torch.equal(a, b)
        assert a.stride() == b.stride()
    assert not torch.equal(plain[0], plain[2]), "it draws anew in each step"
    assert not moved


LAST = IMAGES.to(memory_format=torch.channels_last)


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize(
    ("layer", "images"),
    [
        (nn.Dropout, IMAGES),
        (nn.Dropout, LAST),
        (nn.Dropout, IMAGES.double()),
        (nn.Dropout, IMAGES.bfloat16()),
        (nn.Dropout1d, IMAGES[0]),
        (nn.Dropout2d, IMAGES),
        (nn.Dropout2d, LAST),
        (nn.Dropout3d, IMAGES[None]),
        (nn.AlphaDropout, IMAGES),
        (nn.FeatureAlphaDropout, LAST),
    ],
)
def test_every_kind_of_dropout(layer, images, inplace):
    assert_same(lambda: layer(0.3, inplace=inplace), images)


@pytest.mark.parametrize("inplace", [False, True])
def test_the_randomised_leaky_relu(inplace):
    assert_same(lambda: nn.RReLU(inplace=inplace))
    assert_same(lambda: nn.RReLU(inplace=inplace), LAST)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_dropout_of_nothing_or_of_all_draws_nothing(p):
    (plain, _), (ours, moved) = both(lambda: nn.Dropout(p), IMAGES)
    assert all(torch.equal(a, b) for a, b in zip(plain, ours, strict=True))
    assert not moved


def test_stochastic_depth_and_blocks_of_torchvision():
    ops = import_torchvision().ops
    for mode in ("row", "batch"):
        assert_same(lambda mode=mode: ops.StochasticDepth(0.5, mode))
    assert_same(lambda: ops.DropBlock2d(0.3, 3))


def test_efficientnet_has_dropout_and_stochastic_depth():
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    assert_same(lambda: build_model("efficientnet_b0", 3, 3, 16), images)


DRAWS = {
    "rand": lambda x: torch.rand(x.shape),
    "rand_like": torch.rand_like,
    "randn": lambda x: torch.randn(8),
    "randn_like": torch.randn_like,
    "randint": lambda x: torch.randint(1, 50, (8, 8)),
    "randint_like": lambda x: torch.randint_like(x, 1, 50),
    "randperm": lambda x: torch.randperm(8),
    "bernoulli": lambda x: torch.bernoulli(torch.full((8, 8), 0.5)),
    "its method": lambda x: torch.full((8, 8), 0.5).bernoulli(),
    "bernoulli_": lambda x: torch.empty(8, 8).bernoulli_(0.5),
    "binomial": lambda x: torch.binomial(torch.full((8,), 9.0), torch.full((8,), 0.5)),
    "multinomial": lambda x: torch.multinomial(torch.ones(9), 8).float(),
    "normal": lambda x: torch.normal(x, 1.0),
    "poisson": lambda x: torch.poisson(torch.full((8, 8), 3.0)),
    "normal_": lambda x: torch.empty(8).normal_(),
    "uniform_": lambda x: torch.empty(8).uniform_(1, 2),
    "exponential_": lambda x: torch.empty(8).exponential_(),
    "geometric_": lambda x: torch.empty(8, 8).geometric_(0.5),
    "cauchy_": lambda x: torch.empty(8).cauchy_(),
    "log_normal_": lambda x: torch.empty(8).log_normal_(),
    "random_": lambda x: torch.empty(8).random_(1, 50),
    "a distribution": lambda x: torch.distributions.Normal(0.0, 1.0).sample((8,)),
}


@pytest.mark.parametrize("name", DRAWS)
def test_every_function_that_takes_a_generator(name):
    assert_same(lambda: Calls(DRAWS[name]))


def test_a_generator_that_is_given_stays():
    own = torch.Generator().manual_seed(3)
    with ThreadLayerStream(5):
        drawn = torch.rand(4, generator=own)
    assert torch.equal(drawn, torch.rand(4, generator=torch.Generator().manual_seed(3)))


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: nn.functional.gumbel_softmax(x),
        lambda x: nn.functional.scaled_dot_product_attention(x, x, x, dropout_p=0.5),
        lambda x: torch.dropout(x, 0.5, True),
    ],
)
def test_what_draws_in_another_way_moves_the_generator_of_the_process(draw):
    """So that it is noticed (test_client_workers.py)."""
    assert both(lambda: Calls(draw), IMAGES)[1][1]


class Recomputed(nn.Module):
    """Computes its body again in the backward pass, to keep no activations."""

    def __init__(self, p, reentrant):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(6, 6, 1), nn.Dropout(p), nn.ReLU())
        self.reentrant = reentrant

    def forward(self, images):
        return checkpoint(self.body, images, use_reentrant=self.reentrant)


@pytest.mark.parametrize("reentrant", [False, True])
def test_what_would_be_drawn_again_in_the_backward_pass_is_refused(reentrant):
    """PyTorch would draw other numbers there than in the forward pass."""
    with pytest.raises(MedflError, match=r"`torch\.utils\.checkpoint`.*training\.workers: 1"):
        both(lambda: Recomputed(0.5, reentrant), IMAGES)
    (plain, _), (ours, moved) = both(lambda: Recomputed(0.0, reentrant), IMAGES)
    assert all(torch.equal(a, b) for a, b in zip(plain, ours, strict=True))
    assert not moved


def test_dropout_of_a_recurrent_network_moves_it_too():
    class Recurrent(nn.LSTM):
        def forward(self, images):
            return super().forward(images)[0]

    assert both(lambda: Recurrent(8, 8, 2, dropout=0.5), IMAGES[0])[1][1]
