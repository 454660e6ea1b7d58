"""Every way to train a round's clients ends with the same models, on the CPU and tiny images."""

from __future__ import annotations

import copy
from functools import cache

import pytest
import torch

from benchmarks.on_gpu.ways import FIRST, LANES, WAYS, draws
from benchmarks.on_gpu.work import LEARNING_RATE, Shape, make_work, normalised, values

# PyTorch has no rule for one operator of ResNet-18, and takes the slow way.
pytestmark = pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")

CPU = torch.device("cpu")
SHAPES = {
    "cnn": Shape("cnn", 16, False, LANES + 1, 2, 4),  # more clients than lanes
    "resnet18": Shape("resnet18", 16, False, 2, 2, 4),
    "efficientnet_b0": Shape("efficientnet_b0", 32, False, 2, 2, 2),
}
# Batched kernels add in another order. What this changes, in parts of what training changed; batch
# norm over four images, by plain arithmetic, makes it larger.
TOLERANCE = {"cnn": 1e-5, "resnet18": 1e-2}
IN_LANES = [name for name in WAYS if "torch.func" not in name]
BATCHED = [name for name in WAYS if "torch.func" in name]


@cache
def work(network):
    return make_work(SHAPES[network], CPU)


@cache
def trained(network, way):
    made = WAYS[way](work(network))
    made.train()
    return made.vectors.clone()


@pytest.fixture(scope="module", autouse=True)
def _kept_for_this_file_alone():
    yield
    work.cache_clear()
    trained.cache_clear()


def start(network):
    return torch.cat([value.detach().reshape(-1) for value in values(work(network).start)])


def test_one_after_another_is_plain_sgd_by_pytorchs_optimiser():
    """Written anew: each client from the start, over its batches with ``torch.optim.SGD``."""
    for network in ("cnn", "resnet18"):
        given, found = work(network), []
        for client in range(given.shape.clients):
            net = copy.deepcopy(given.start)
            optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE)
            for images, labels in zip(given.images[client], given.labels[client], strict=True):
                optimizer.zero_grad()
                pixels = (images / 255 - 0.5) / 0.25
                torch.nn.functional.cross_entropy(net(pixels), labels).backward()
                optimizer.step()
            floating = [buffer for buffer in net.buffers() if buffer.is_floating_point()]
            ends = [*net.parameters(), *floating]
            found.append(torch.cat([value.detach().reshape(-1) for value in ends]))
        moved = (trained(network, FIRST) - start(network)).abs().max()
        assert (torch.stack(found) - trained(network, FIRST)).abs().max() < 1e-3 * moved


def test_clients_learn_and_differ():
    for network in SHAPES:
        vectors = trained(network, FIRST)
        assert vectors.shape == (SHAPES[network].clients, len(start(network)))
        assert (vectors - start(network)).abs().max() > 1e-3
        assert not torch.equal(vectors[0], vectors[1])


@pytest.mark.parametrize("way", IN_LANES)
@pytest.mark.parametrize("network", SHAPES)
def test_lanes_give_the_same_bits_with_dropout_too(network, way):
    made = WAYS[way](work(network))
    for _ in range(2):  # from the start each time
        made.train()
        assert torch.equal(made.vectors, trained(network, FIRST))


@pytest.mark.parametrize("way", BATCHED)
@pytest.mark.parametrize("network", TOLERANCE)
def test_batched_clients_agree_within_rounding(network, way):
    first = trained(network, FIRST)
    moved = (first - start(network)).abs().max()
    assert (trained(network, way) - first).abs().max() < TOLERANCE[network] * moved


@pytest.mark.parametrize("way", BATCHED)
def test_batched_clients_with_dropout_run_and_say_that_they_draw_alike(way):
    made = WAYS[way](work("efficientnet_b0"))
    made.train()
    assert torch.isfinite(made.vectors).all()
    assert "draws of each client's own" in made.lacks


def test_ways_say_what_a_cpu_cannot_do():
    said = {name: WAYS[name](work("cnn")).lacks for name in WAYS}
    assert said == {
        "one after another": "",
        "CUDA streams": "streams: clients take turns",
        "torch.func": "",
        "CUDA graphs": "graphs: kernels are launched one by one",
        "CUDA graphs on streams": "streams: clients take turns; graphs: kernels are launched one"
        " by one",
        "torch.func in a CUDA graph": "graphs: kernels are launched one by one",
    }


def test_bfloat16_is_what_forward_passes_compute_in():
    half = make_work(Shape("cnn", 16, True, LANES + 1, 2, 4), CPU)
    made = WAYS[FIRST](half)
    made.train()
    difference = (made.vectors - trained("cnn", FIRST)).abs().max()
    assert 0 < difference < 0.05 * (trained("cnn", FIRST) - start("cnn")).abs().max()
    batched = WAYS["torch.func"](half)
    batched.train()
    # The network may round at another place: as far from it as from single precision.
    assert (batched.vectors - made.vectors).abs().max() < 2 * difference + 1e-6


def test_networks_that_draw_are_known():
    assert not draws(work("cnn").start)
    assert not draws(work("resnet18").start)
    assert draws(work("efficientnet_b0").start)


def test_pixels_are_normalised():
    images = torch.tensor([0, 255], dtype=torch.uint8)
    assert normalised(images).tolist() == pytest.approx([-2.0, 2.0])  # (0 − 0.5) ÷ 0.25


def test_a_shape_crosses_a_command_line():
    for shape in (*SHAPES.values(), Shape("resnet18", 64, True, 10, 8, 32)):
        assert Shape.from_words(shape.to_words()) == shape
    assert Shape("resnet18", 64, True, 10, 8, 32).words == "resnet18 at 64², bfloat16"
    assert Shape("resnet18", 64, True, 10, 8, 32).images == 2560
