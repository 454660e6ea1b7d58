"""What DP-SGD refuses: at the configuration, or in the first round where it is seen."""

from __future__ import annotations

import pytest
import torch
from federations import Grouped, Normed, federation
from private_runs import patients_store, private
from torch import nn
from torch.nn.functional import cross_entropy

from medfl.algorithms import FederatedAlgorithm
from medfl.algorithms.fedavg import FedAvg
from medfl.chain import Link
from medfl.chain.chain import check_chain
from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.privacy.accounting import epsilon_of

NOISED = {"noise_multiplier": 1.0}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "needs noise_multiplier, or a target_epsilon"),
        ({"target_epsilon": 0.0}, "greater than 0"),
        ({"target_epsilon": -1}, "greater than 0"),
        ({"noise_multiplier": -0.5}, "greater than or equal to 0"),
        ({"noise_multiplier": 0.0, "target_epsilon": 8.0}, "ε is infinite"),
        ({"noise_multiplier": 1.0, "max_grad_norm": None}, "nothing bounds what one sample adds"),
        ({"noise_multiplier": 1.0, "max_grad_norm": 0.0}, "greater than 0"),
        ({"noise_multiplier": 1.0, "target_delta": 1.0}, "less than 1"),
        ({"noise_multiplier": 1.0, "target_epsilon": 0.5}, "one round of 3 steps spends"),
        ({"target_epsilon": 1e-9, "target_delta": 1e-30}, "no noise keeps"),
        ({"noise_multipler": 1.0}, "did you mean `noise_multiplier`?"),
    ],
)
def test_bad_parameters(params, words):
    with pytest.raises(MedflError) as error:
        private(params=params)
    assert words in str(error.value)


@pytest.mark.parametrize("link", ["dp_image", "dp_patient"])
@pytest.mark.parametrize(
    ("step", "dataset", "least", "refused"),
    [
        (10, "hospital", None, False),  # of people's own data 10 is the least
        (9, "hospital", None, True),
        (10, "hospital", 20, True),
        (20, "hospital", 20, False),
        (1, "hospital", 0, False),
        (1, "ham10000-32", None, False),  # anybody can count its samples
    ],
)
def test_the_public_size_tells_no_smaller_count_than_is_published(
    link, step, dataset, least, refused
):
    config = FederatedConfig(
        dataset=dataset,
        report={"minimum_cell": least},
        local_steps=2,
        chain={"links": {link: {**NOISED, "size_step": step}}},
    )
    if not refused:
        check_chain(config, FedAvg, "run.yaml")
        return
    with pytest.raises(MedflError, match=r"set size_step of .* to (10|20) or more"):
        check_chain(config, FedAvg, "run.yaml")


class Sampler(Link):
    """Draws as many of each class."""

    stage = "data"

    def batches(self, client, rows, purpose):
        return rows


@pytest.mark.parametrize(
    ("name", "keys", "words"),
    [
        ("fedavg", {"local_steps": None, "local_epochs": 1}, "set federated_learning.local_steps"),
        ("fedavg", {"local_steps": None}, "passes over the data tell how many samples"),
        ("fedavg", {"clip_norm": 1.0}, "training.clip_norm"),
        ("fedavg", {"augmentation": {"mixup": 0.2}}, "mixup and cutmix"),
        ("fedavg", {"augmentation": {"cutmix": 0.2}}, "mixup and cutmix"),
        ("scaffold-1", {}, "a gradient of all samples"),
        ("local", {}, "exchanges nothing"),
        ("centralized", {}, "exchanges nothing"),
        ("fedavg", {"model": Normed}, "the layer `body.1` is a batch norm"),
    ],
)
def test_what_does_not_compose(name, keys, words):
    with pytest.raises(MedflError) as error:
        private(name, params=NOISED, **keys)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("links", "words"),
    [
        ({"dp_image": NOISED, "dp_patient": NOISED}, "protect different units"),
        ({"dp_image": NOISED, "test_private_refusals:Sampler": {}}, "draws the batches"),
        ({"dp_image": NOISED, "links:PerSample": {}}, "would change them"),
    ],
)
def test_links_that_do_not_compose(links, words):
    with pytest.raises(MedflError, match=words):
        federation(chain={"links": links}, model=Grouped, local_steps=2)


@pytest.mark.parametrize("link", ["dp_image", "dp_patient"])
def test_equal_views_are_refused(link):
    """Nothing makes them differ; with augmentation, or a link that changes samples, they may."""
    with pytest.raises(MedflError) as error:
        private(link=link, params={**NOISED, "views": 4})
    assert str(error.value) == (
        f"{link}: views is 4, and without augmentation all views of an image are the image itself, "
        "so that they would cost 4 times the work for nothing: set augmentation.preset, such as to "
        "auto, or leave views out."
    )
    private(link=link, params={**NOISED, "views": 4}, augmentation={"preset": "xray"})
    links = {link: {**NOISED, "views": 4}, "links:Still": {}}
    federation(chain={"links": links}, model=Grouped, local_steps=2)


def test_fedbn_needs_layers_that_are_there():
    with pytest.raises(MedflError, match="set layers: normalization"):
        federation("fedbn", chain={"links": {"dp_image": NOISED}}, model=Grouped, local_steps=2)


def test_a_patient_at_two_clients():
    """The last of client 0's images and the first of client 1's are made one patient's."""
    store = patients_store(60)
    store.groups[8] = store.groups[7]
    with pytest.raises(MedflError, match=r"dp_patient: 1 patient\(s\) have training images at sev"):
        private("fedavg", "dp_patient", NOISED, store=store)
    private("fedavg", "dp_image", NOISED, store=store)


class Mixing(FederatedAlgorithm):
    """Its loss is no mean over samples: it pulls all logits of a batch together."""

    def loss(self, model, images, labels, client):
        logits = model.module(images)
        return cross_entropy(logits, labels) + logits.var(dim=0, correction=0).sum()


class Decay(FederatedAlgorithm):
    """Its loss has a term of the parameters alone, which no layer's call has."""

    def loss(self, model, images, labels, client):
        decay = sum(p.square().sum() for p in model.module.parameters())
        return cross_entropy(model.module(images), labels) + decay


class Head(FederatedAlgorithm):
    """Trains twice a round: a local head, and then the rest, as FedRep does."""

    evaluated = "personal"

    def local_names(self, model):
        return {"head.weight", "head.bias"}

    def train(self, client, model):
        return client.descend(model, "head") + client.descend(model, "train")


class PlainHead(Head):
    """Claims that nothing flows back from its head."""

    unshared_descents = ("head",)


class Curious(FederatedAlgorithm):
    """Takes a gradient of all samples without saying so."""

    def train(self, client, model):
        client.full_gradient(model)
        return super().train(client, model)


class Centred(nn.Module):
    """Subtracts the batch's own mean: batch norm under another name."""

    def __init__(self):
        super().__init__()
        self.flat, self.linear = nn.Flatten(), nn.Linear(36, 3)

    def forward(self, images):
        x = self.flat(images)
        return self.linear(x - x.mean(dim=0))


class Counting(Centred):
    """Keeps a running mean of the images."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(36, dtype=torch.float64))

    def forward(self, images):
        if self.training:
            self.mean.mul_(0.9).add_(images.detach().flatten(1).mean(dim=0), alpha=0.1)
        return self.linear(self.flat(images) - self.mean)


@pytest.mark.parametrize(
    ("name", "keys", "words"),
    [
        ("Mixing", {}, "the loss must be the mean of a loss of each sample"),
        ("Decay", {}, "each parameter must belong to a layer"),
        ("Head", {}, "makes the descents head, train, and 1 of them is accounted for"),
        ("PlainHead", {}, "a local part that was trained without noise"),
        ("Curious", {}, "makes the descents gradient"),
        ("fedavg", {"model": Centred}, "the network must not mix samples"),
        (
            "fedavg",
            {"model": Centred, "views": 2, "augmentation": {"preset": "xray"}},
            "the network must not mix samples",
        ),
        ("fedavg", {"model": Counting}, "changes statistics"),
    ],
)
def test_what_is_only_seen_in_the_first_round(name, keys, words):
    algorithm = name if name == "fedavg" else f"test_private_refusals:{name}"
    keys = dict(keys)
    params = {**NOISED, "views": keys.pop("views", 1)}
    with pytest.raises(MedflError) as error:
        federation(
            algorithm,
            chain={"links": {"dp_image": params}},
            **{"model": Grouped, "local_steps": 2, **keys},
        ).train()
    assert words in str(error.value)


def test_two_noised_descents_are_accounted_for_both():
    """Their local head is clipped and noised with the rest, in both."""
    trainer = federation(
        "test_private_refusals:Head",
        chain={"links": {"dp_image": {**NOISED, "descents": 2}}},
        model=Grouped,
        local_steps=2,
    )
    trainer.train()
    assert [client.steps for client in trainer.clients] == [12, 12, 12]
    clients = trainer.server.chain.record()["dp_image"]["clients"]
    assert clients["0"]["epsilon"] == epsilon_of(1.0, 0.4, 12, 1e-5)
