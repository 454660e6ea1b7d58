"""What a person's own links and networks keep on themselves in workers is found, too."""

from __future__ import annotations

import pytest
import torch
from federations import Grouped, Linear, federation
from links import Watch

from medfl.chain import Link
from medfl.errors import MedflError
from medfl.privacy.dp_sgd.units import ImagePrivacy


class Counting(Link):
    """Counts batches."""

    stage = "data"

    def __init__(self, **params):
        super().__init__(**params)
        self.count = 0

    def samples(self, client, images, labels):
        self.count += 1
        return images, labels


def test_links(monkeypatch):
    trainer = federation(workers=2, cores=8)
    trainer.server.chain.links.append(Watch())  # it only acts on messages
    trainer.train()
    other = federation(workers=2, cores=8)
    other.server.chain.links.append(Counting())
    with pytest.raises(MedflError, match=r"`Counting\.count` changes"):
        other.train()


class Mine(ImagePrivacy):
    """A link of a person's own on the ground of one of medfl's, which counts descents by client."""


def test_what_a_link_holds_of_each_client_apart(monkeypatch):
    """As its base class says of itself (`by_client`)."""
    chain = {"links": {"dp_image": {"noise_multiplier": 1.0}}}
    settings = {"model": Grouped, "local_steps": 2, "chain": chain, "rounds": 2}
    runs = []
    for workers in (1, 3):
        trainer = federation(workers=workers, cores=8, **settings)
        trainer.server.chain.links[0].__class__ = Mine
        trainer.train()
        runs.append(trainer.server.vector)
    assert torch.equal(*runs)
    monkeypatch.setattr(Mine, "by_client", ())
    trainer = federation(workers=3, cores=8, **settings)
    trainer.server.chain.links[0].__class__ = Mine
    with pytest.raises(MedflError, match=r"`Mine\._descents` changes"):
        trainer.train()


class Stateful(Linear):
    """Remembers how often it was called, or what it was given last."""

    def __init__(self, kind="attribute"):
        super().__init__()
        self.kind = kind
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, images):
        if self.training and self.kind == "attribute":
            self.last = images.detach()
        elif self.training:
            self.calls += 1
        return super().forward(images)


@pytest.mark.parametrize(("kind", "name"), [("attribute", "last"), ("buffer", "calls")])
def test_networks(kind, name):
    with pytest.raises(MedflError, match=rf"`Stateful\.{name}` changes .*floating buffer"):
        federation(model=lambda: Stateful(kind), workers=2, cores=8).train()


def test_a_network_that_changes_while_it_is_judged(monkeypatch):
    monkeypatch.setattr("medfl.federated.prediction.MOST_IMAGES", 4)  # so that there are parts

    class Judged(Linear):
        def forward(self, images):
            if not self.training:
                self.last = images
            return super().forward(images)

    with pytest.raises(MedflError, match=r"`Judged\.last` changes"):
        federation(model=Judged, workers=2, cores=8).train()
