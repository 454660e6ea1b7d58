"""Any number of clients that train side by side gives the bits of one after the other."""

from __future__ import annotations

import pytest
import torch
from chains import LINKS, NEEDS, REFUSED
from federations import (
    ALGORITHMS,
    BRIEFLY,
    Dropped,
    Linear,
    Normed,
    federation,
    judge_nothing,
    threads_left,
)
from test_resume import assert_same_run
from torch import nn

from medfl.chain import PARAMETERS
from medfl.federated.workers import own_state, pool

SIZES = (8, 29, 12, 7, 9)  # one client is much larger than the others
USUAL = {
    "sizes": SIZES,
    "rounds": 2,  # the second meets what clients, workers and rules kept of the first
    "clients_per_round": 4,
    "evaluate_every": 1,
    "lr_schedule": "cosine",
    "cores": 16,
}


@pytest.fixture(autouse=True)
def _ours(monkeypatch):
    """The networks of tests count as medfl's own, so that workers stay from round to round."""
    monkeypatch.setattr(own_state, "_LIBRARIES", ("medfl", "torch", "federations", __name__))


def trained(name, workers, **settings):
    trainer = federation(
        name.split("-")[0],
        ALGORITHMS[name],
        workers=workers,
        **{**USUAL, "model": Normed, **settings},
    )
    trainer.train()
    return trainer


def assert_any_number_is_the_same(name, numbers=(2, 16), **settings):
    one = trained(name, 1, **settings)
    assert one.server.workers.number == 1
    for number in numbers:
        several = trained(name, number, **settings)
        if name != "centralized":
            assert several.server.workers.number > 1
        assert_same_run(one, several)
    assert threads_left() == 0


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_every_algorithm(name):
    """In the third round clients come back that have missed one."""
    assert_any_number_is_the_same(name, rounds=3)


@pytest.mark.parametrize("name", sorted(set(ALGORITHMS) - set(BRIEFLY)))
def test_every_algorithm_with_a_persons_network(name, monkeypatch):
    """Workers are forked anew each time, and what stands on the network is watched."""
    monkeypatch.setattr(own_state, "_LIBRARIES", ("medfl", "torch"))
    assert_any_number_is_the_same(name, (3,))


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_every_optimizer_with_dropout(optimizer):
    settings = {"optimizer": optimizer, "learning_rate": 0.01, "weight_decay": 0.1}
    assert_any_number_is_the_same("ditto", model=Dropped, **settings)


def test_layers_that_draw_in_ways_of_their_own():
    """The dropout of an LSTM takes no generator; bfloat16 keeps copies of the weights."""

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.LSTM(6, 4, 2, dropout=0.5, batch_first=True)
            self.head = nn.Linear(4, 3)

        def forward(self, images):
            return self.head(self.body(images[:, 0])[0][:, -1])

    assert_any_number_is_the_same("fedavg", (2,), model=Recurrent)
    assert_any_number_is_the_same("fedavg", (2,), model=Dropped, mixed_precision="on")


def test_augmentation_and_exact_steps():
    settings = {"local_steps": 3, "momentum": 0.9, "clip_norm": 1.0, "weighting": "uniform"}
    augmented = {"augmentation": {"preset": "xray", "mixup": 0.5}}
    assert_any_number_is_the_same("fedavg", **settings, **augmented)


@pytest.mark.parametrize("chain", LINKS)
def test_every_link_and_rule(chain):
    settings = NEEDS.get(chain, {})
    assert_any_number_is_the_same("fedavg", (4,), chain=LINKS[chain], **settings)


@pytest.mark.parametrize("name", ["scaffold", "feddyn"])
def test_what_a_client_keeps_of_a_message_that_links_changed(name):
    """SCAFFOLD moves c_i by what the server heard, which is another where a link clips."""
    assert_any_number_is_the_same(name, chain=LINKS["clip"])


@pytest.mark.parametrize("settings", [*({"chain": c} for c in LINKS.values()), *ALGORITHMS])
def test_medfls_own_parts_keep_nothing_on_themselves_in_workers(settings, monkeypatch):
    """They are watched as a person's are: what they kept there would be lost."""
    rooms = ("medfl.algorithms.", "medfl.compression.", "medfl.privacy.", "medfl.robustness.")
    monkeypatch.setattr(own_state, "_is_own_class", lambda kind: kind.__module__.startswith(rooms))
    name, chain = (settings, {}) if isinstance(settings, str) else ("fedavg", settings)
    needs = next((NEEDS[k] for k in NEEDS if chain and LINKS[k] is chain["chain"]), {})
    trained(name, 2, rounds=1, **chain, **needs)


OTHERS = ("scaffold", "fednova", "moon", "ditto", "finetune", "fedadam")
PAIRS = [
    (name, link)
    for place, link in enumerate(LINKS)
    for name in OTHERS[place % 2 :: 2]
    if name not in REFUSED.get(link, ())
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "chain"),
    [
        pytest.param(*pair, marks=[pytest.mark.weekly] * bool(number % 4))
        for number, pair in enumerate(PAIRS)
    ],
)
def test_every_link_with_other_algorithms(name, chain):
    """Links take turns: one meets every second algorithm, the next the others.

    Each fourth pair each time, and the others once a week: `test_every_link_and_rule` meets every
    link and `test_every_algorithm` every algorithm.
    """
    settings = {"optimizer": "sgd", **NEEDS.get(chain, {})}
    assert_any_number_is_the_same(name, (4,), chain=LINKS[chain], **settings)


def test_a_client_whose_update_is_not_finite_drops_out():
    class Fragile(Normed):
        def forward(self, images):
            return super().forward(images) * torch.where(images.sum() > 3, torch.nan, 1.0)

    one = trained("scaffold", 1, model=Fragile)
    assert one.refused
    assert_same_run(one, trained("scaffold", 3, model=Fragile))


def test_hardly_any_room_for_results_that_wait(monkeypatch):
    monkeypatch.setattr(pool, "WAITING_BYTES", 1)
    settings = {"sizes": (5, 9, 4, 21, 6, 4, 4, 12), "clients_per_round": None}
    assert_any_number_is_the_same("scaffold", (2, 3), **settings)


def test_parts_that_are_no_part_of_the_network_are_not_copied(monkeypatch):
    """By that SCAFFOLD knows that no link has changed what it meant to send."""
    heard = []

    def sent(self, client, message, work):
        heard.append(message.parts["delta_c"].value is work.extras["delta_c"])
        assert message.parts[PARAMETERS].base is client.received[PARAMETERS]

    monkeypatch.setattr(type(federation("scaffold").server.algorithm), "sent", sent)
    trained("scaffold", 3, rounds=1)
    assert heard == [True] * 4


def test_rounds_can_be_run_one_by_one():
    """As the benchmarks do, without `train`: no thread is left behind, and workers wait."""
    trainer = federation("fedavg", workers=2, model=Linear, **USUAL)
    judge_nothing(trainer)
    for number in (1, 2):
        trainer._round(number)
        assert threads_left() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_after_training_the_servers_network_holds_its_model(workers):
    server = trained("scaffold", workers).server
    assert torch.equal(server.model.vector, server.vector)
    assert torch.equal(server.model.buffers, server.buffers)


class Deep(nn.Sequential):
    """Larger than the others, so that messages go through shared memory."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(inplace=True),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.Dropout2d(0.2),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(32 * 36, 3),
        )


def test_networks_that_compute_for_longer_than_python_does():
    assert_any_number_is_the_same("fedavg", (2, 4), model=Deep, momentum=0.9, rounds=2)
