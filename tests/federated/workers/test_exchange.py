"""Objects that cross a socket: values, layouts and identities of their tensors."""

from __future__ import annotations

import math
import os
import socket
import threading

import pytest
import torch

from medfl.federated.workers import exchange
from medfl.federated.workers.exchange import FEW_BYTES, GoneError, Packed, receive


@pytest.fixture
def crossed():
    here, there = socket.socketpair()

    def cross(content, known=None, known_there=None):
        with Packed(content, known) as packed:
            sender = threading.Thread(target=packed.send, args=(here,))
            sender.start()
            found = receive(there, known_there)
            sender.join()
        return found

    yield cross
    here.close()
    there.close()


MANY = FEW_BYTES // 8 + 3


@pytest.mark.parametrize("beside", [0, MANY], ids=["together", "through memory"])
@pytest.mark.parametrize(
    "tensor",
    [
        torch.randn(2, 3, 4, 5),
        torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        torch.randn(3, 4).t(),
        torch.randn(8)[::2],
        torch.randn(5, 8)[1:3],
        torch.ones(4).expand(3, 4),
        torch.zeros(0),
        torch.tensor(3),
        torch.tensor([True, False]),
        torch.randn(7).bfloat16(),
        torch.arange(9, dtype=torch.uint8),
        torch.tensor([float("nan"), -0.0, float("inf")], dtype=torch.float64),
    ],
)
def test_values_and_layouts(tensor, beside, crossed):
    found, _ = crossed([tensor, torch.arange(beside)])
    assert found.dtype == tensor.dtype
    assert found.shape == tensor.shape
    assert found.stride() == tensor.clone().stride()
    assert torch.equal(found.isnan(), tensor.isnan())
    assert torch.equal(found.nan_to_num(), tensor.nan_to_num())
    assert torch.equal(found.signbit(), tensor.signbit())
    assert not found.requires_grad


@pytest.mark.parametrize("size", [3, MANY])
def test_one_object_stays_one(size, crossed):
    one, other = torch.arange(size), torch.arange(size)
    a, [b], c = crossed((one, [one], other))
    assert a is b
    assert c is not a
    assert torch.equal(a, c)
    a += 1
    assert torch.equal(c, other)


def test_what_is_kept_of_an_object_keeps_no_other_tensors(crossed):
    found = crossed([torch.arange(3), torch.arange(MANY), torch.arange(2 * MANY)])
    room = [64 * math.ceil(8 * count / 64) for count in (MANY, 2 * MANY)]
    assert [one.untyped_storage().nbytes() for one in found[1:]] == room
    assert found[0].untyped_storage().nbytes() <= FEW_BYTES


def test_more_tensors_than_files_can_cross_at_once(crossed, monkeypatch):
    monkeypatch.setattr(exchange, "MOST_FILES", 2)
    sent = [torch.arange(k, MANY + 2 * k) for k in range(4)]
    for tensor, found in zip(sent, crossed(sent), strict=True):
        assert torch.equal(found, tensor)


def test_known_tensors_are_the_others_own(crossed):
    ours, theirs = torch.ones(MANY), torch.ones(MANY)
    found = crossed({"x": ours, "y": ours + 1}, {"sent x": ours}, {"sent x": theirs})
    assert found["x"] is theirs
    assert torch.equal(found["y"], torch.full((MANY,), 2.0))


def test_a_result_of_inference_and_a_parameter(crossed):
    with torch.inference_mode():
        said = torch.ones(3) * 2
    found, parameter = crossed((said, torch.nn.Parameter(torch.ones(2))))
    found += 1
    assert found.tolist() == [3, 3, 3]
    assert parameter.tolist() == [1, 1]


def test_a_generator_goes_on_where_it_was(crossed):
    generator = torch.Generator().manual_seed(3)
    torch.rand(5, generator=generator)
    found = crossed(generator)
    assert torch.equal(torch.rand(9, generator=found), torch.rand(9, generator=generator))


def test_one_packed_object_goes_to_several_and_no_file_stays_open(crossed):
    before = len(os.listdir("/proc/self/fd"))
    pairs = [socket.socketpair() for _ in range(2)]
    with Packed({"a": torch.arange(MANY)}) as packed:
        for here, _ in pairs:
            packed.send(here)
        found = [receive(there)["a"] for _, there in pairs]
    for here, there in pairs:
        here.close()
        there.close()
    assert len(os.listdir("/proc/self/fd")) == before
    for tensor in found:
        assert torch.equal(tensor, torch.arange(MANY))


def test_nobody_is_there():
    here, there = socket.socketpair()
    there.close()
    with pytest.raises(GoneError), Packed(1) as packed:
        packed.send(here)
    with pytest.raises(GoneError):
        receive(here)
    here.close()
