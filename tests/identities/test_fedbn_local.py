"""FedBN: every batch norm stays with its client, and nothing else does."""

from __future__ import annotations

import pytest
import torch
from federations import Grouped, Linear, Normed, federation, models, small_store
from torch import nn

from medfl.models import build_model


def norm_entries(module):
    """Names of all that norms own, by walking the modules: the test's own reading."""
    owned = set()
    for prefix, layer in module.named_modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            owned |= {f"{prefix}.running_mean", f"{prefix}.running_var"}
        if isinstance(layer, nn.modules.batchnorm._BatchNorm | nn.GroupNorm):
            owned |= {f"{prefix}.weight", f"{prefix}.bias"}
    return owned


def named(model, vector, buffers):
    """Parameters and floating buffers by name, from flat vectors, by the module's own order."""
    parts, start = {}, 0
    for name, parameter in model.module.named_parameters():
        parts[name] = vector[start : start + parameter.numel()].clone()
        start += parameter.numel()
    start = 0
    for name, buffer in model.module.named_buffers():
        if buffer.is_floating_point():
            parts[name] = buffers[start : start + buffer.numel()].clone()
            start += buffer.numel()
    return parts


def test_without_batch_norm_it_is_fedavg():
    plain, local = federation(model=Linear), federation("fedbn", model=Linear)
    assert all(torch.equal(a, b) for a, b in zip(models(plain), models(local), strict=True))
    assert plain.history[-1]["bytes_total"] == local.history[-1]["bytes_total"]


class Eleven(nn.Sequential):
    """A network whose batch norm is named ``1`` and whose classifier is named ``10``."""

    def __init__(self) -> None:
        between = [nn.ReLU() for _ in range(7)]
        super().__init__(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), *between, nn.Flatten(), nn.Linear(64, 3)
        )


SMALL = {"small": Normed, "eleven": Eleven}


NETWORKS = [*SMALL, "resnet18", "efficientnet_b0"]
OF_EITHER_KIND = [
    *((name, "batch", "batch") for name in NETWORKS),
    ("small", "normalization", "batch"),
    pytest.param("densenet121", "batch", "batch", marks=pytest.mark.slow),
    pytest.param("resnet18", "normalization", "group", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "layers", "normalization"), OF_EITHER_KIND)
def test_norms_stay_local_and_nothing_else(name, layers, normalization):
    def make():
        if name in SMALL:
            return SMALL[name]()
        return build_model(name, 3, 1, 8, normalization)

    trainer = federation(
        "fedbn",
        {"layers": layers},
        sizes=(4, 8, 6),
        model=make,
        store=small_store(42, size=6 if name in SMALL else 8),
        rounds=2,
        local_steps=1,
        clients_per_round=2,
        learning_rate=0.01,
        evaluate_every=2,
        workers=1,  # so that the spy sees all clients
    )
    server, model = trainer.server, trainer.server.model
    owned = norm_entries(model.module)
    assert len(owned) >= (4 if name in SMALL else 40 if normalization == "group" else 80)
    start = named(model, model.vector, model.buffers)
    assert owned < set(start)
    received, trained, kept = {}, {}, {}

    def spy(client, m):
        received[client.id] = named(m, m.vector, m.buffers)
        work = type(server.algorithm).train(server.algorithm, client, m)
        trained[client.id] = named(m, m.vector, m.buffers)
        return work

    server.algorithm.train = spy
    before = start
    for number in (1, 2):
        received.clear()
        trained.clear()
        trainer._round(number)
        server.load(model, server.vector, server.buffers)
        after = named(model, model.vector, model.buffers)
        chosen = sorted(trained)
        sizes = {k: len(trainer.clients[k].rows) for k in chosen}
        for entry, value in after.items():
            if entry in owned:
                assert torch.equal(value, start[entry]), f"the server's {entry} moved"
                for k in chosen:  # its own from the last time, or the beginning
                    mine = kept.get(k, start)[entry]
                    assert torch.equal(received[k][entry], mine), f"{entry} leaked to client {k}"
            else:
                mean = sum(trained[k][entry] * sizes[k] for k in chosen) / sum(sizes.values())
                assert torch.allclose(value, mean, rtol=0, atol=1e-10), f"{entry} was not averaged"
                assert all(torch.equal(received[k][entry], before[entry]) for k in chosen)
        assert any(not torch.equal(after[e], before[e]) for e in after if e not in owned)
        for k in chosen:
            kept[k] = dict(trained[k])
            assert any(not torch.equal(trained[k][e], start[e]) for e in owned)
        before = after
    for client in trainer.clients:  # also those that were never sampled
        client.receive(model)
        personal = named(model, model.vector, model.buffers)
        for entry, value in personal.items():
            mine = kept.get(client.id, start) if entry in owned else before
            assert torch.equal(value, mine[entry])


def test_with_group_norm_the_layers_decide():
    """With `batch` nothing is local and it is FedAvg; with `normalization` the norms are."""
    plain, none = federation(model=Grouped), federation("fedbn", model=Grouped)
    assert all(torch.equal(a, b) for a, b in zip(models(plain), models(none), strict=True))
    own = federation("fedbn", {"layers": "normalization"}, model=Grouped)
    own.train()
    assert len(own.server.vector) == len(plain.server.vector) - 2 * 4
    assert own.server.objective.endswith("normalisation, which stays local: F_i of its client")


def test_only_shared_entries_are_counted_as_bytes():
    plain, local = federation(model=Normed), federation("fedbn", model=Normed)
    plain.train()
    local.train()
    # 3 clients, 8 bytes: 4 channels of weight, bias, mean and variance do not travel.
    assert plain.history[1]["bytes_up"] - local.history[1]["bytes_up"] == 3 * 16 * 8
    assert plain.history[1]["bytes_down"] - local.history[1]["bytes_down"] == 3 * 16 * 8
