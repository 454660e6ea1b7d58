"""A person's own network: named in the configuration, called with what the data need."""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest
import torch
import yaml

from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated.code import run_code
from medfl.grid import load_grid
from medfl.models import build_model, normalization_modules
from medfl.store import DatasetInfo, Sample, write_store
from medfl.versions import code_of

NETS = """
import random
import numpy
import torch
from torch import nn

class Net(nn.Sequential):
    def __init__(self, num_classes, in_channels, image_size, width=4):
        super().__init__(
            nn.Conv2d(in_channels, width, 3), nn.BatchNorm2d(width), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes),
        )
        self.image_size = image_size

class Needy(nn.Linear):
    def __init__(self, num_classes, in_channels, image_size, depth):
        super().__init__(in_channels, num_classes)

def flat(*, num_classes, in_channels, image_size):
    from medfl.models import Classifier
    inputs = in_channels * image_size[0] * image_size[1]
    return Classifier(nn.Flatten(), nn.Linear(inputs, num_classes))

def wrong(num_classes, **others):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(num_classes + 1))

def fails(num_classes, in_channels, image_size):
    return nn.Linear(3, num_classes)

class Odd(nn.Linear):
    def __init__(self, num_classes, in_channels, image_size, kind):
        super().__init__(in_channels * image_size[0] * image_size[1], num_classes)
        self.kind = kind
        own = {
            "sparse": lambda: torch.eye(2).to_sparse(),
            "whole": lambda: torch.ones(2, dtype=torch.int64),
            "nan": lambda: torch.tensor([1.0, float("nan")]),
        }.get(kind)
        if own:
            self.w = nn.Parameter(own(), requires_grad=kind != "whole")
        if kind == "frozen":
            self.requires_grad_(False)

    def forward(self, x):
        y = super().forward(x.flatten(1))
        if self.kind == "detached" or (self.kind == "detached in evaluation" and not self.training):
            y = y.detach()
        return y.long() if self.kind == "whole logits" else y

class Drawn(nn.Linear):
    def __init__(self, num_classes, in_channels, image_size):
        super().__init__(in_channels * image_size[0] * image_size[1], num_classes)
        self.weight.data[0, 0] = numpy.random.rand()
        self.bias.data[0] = random.random()

    def forward(self, x):
        return super().forward(x.flatten(1))

class Empty(nn.Module):
    def forward(self, x):
        return x

def empty(**_):
    return Empty()

def nothing(num_classes, in_channels, image_size):
    return None
"""


@pytest.fixture(autouse=True)
def my_nets(own_module):
    return own_module("my_nets", NETS)


def test_it_is_built_with_what_the_data_need():
    torch.manual_seed(0)
    net = build_model("my_nets:Net", 3, 2, (12, 10), params={"width": 6})
    assert net.image_size == (12, 10)
    assert net.training
    assert net[0].weight.shape == (6, 2, 3, 3)
    assert int(net[1].num_batches_tracked) == 0  # trying it out left no statistics behind
    torch.manual_seed(0)
    assert torch.equal(net[0].weight, torch.nn.Conv2d(2, 6, 3).weight)
    grouped = build_model("my_nets:Net", 3, 2, 12, normalization="group")
    assert [type(m) for m in normalization_modules(grouped).values()] == [torch.nn.GroupNorm]
    fused = build_model("my_nets:flat", 3, 3, 8, branches=(2, 1))
    assert fused.head.in_features == 3 * 8 * 8


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("my_nets:Nett", {}, "the model `my_nets:Nett` cannot be loaded: AttributeError"),
        ("my_nets:Needy", {}, "num_classes, in_channels, image_size.*'depth'"),
        ("my_nets:Net", {"params": {"widht": 3}}, "does not take them.*'widht'"),
        ("my_nets:Net", {"params": {"in_channels": 3}}, "`in_channels` follows from the data"),
        ("my_nets:Net", {"params": {"width": "x"}}, r"cannot be built: TypeError.*my_nets.py\)"),
        ("my_nets:wrong", {}, r"gives \(2, 4\) for two images, but logits of shape \(2, 3\)"),
        ("my_nets:fails", {}, r"fails on images of shape \(2, 1, 8, 8\): RuntimeError"),
        ("my_nets:nothing", {}, "gave NoneType, not a torch.nn.Module"),
        ("my_nets:empty", {}, "has no parameters, so nothing can be trained: assign its layers in"),
        *(
            ("my_nets:Odd", {"params": {"kind": kind}}, f"the model `my_nets:Odd`{message}")
            for kind, message in {
                "sparse": ": its parameter `w` is torch.sparse_coo on the device `cpu`: it must be",
                "whole": ": its parameter `w` has torch.int64: it must have real numbers",
                "nan": ": its parameter `w` begins with NaN or infinite values",
                "frozen": " gives logits that do not depend on any of its parameters",
                "detached": " gives logits that do not depend on any of its parameters",
                "whole logits": " gives logits of torch.int64; needed are real numbers",
            }.items()
        ),
        ("my_nets:Net", {"pretrained": True}, "no pretrained.*one of resnet18, resnet50"),
        ("my_nets:Net", {"branches": (1, 1), "in_channels": 2}, "is no medfl.models.Classifier"),
        ("cnn", {"params": {"width": 3}}, "unknown key `width`: the network `cnn` has no params"),
    ],
)
def test_one_that_does_not_fit_is_one_sentence(name, options, message):
    arguments = {"num_classes": 3, "in_channels": 1, "image_size": 8, **options}
    with pytest.raises(MedflError, match=message) as error:
        build_model(name, **arguments)
    assert "\n" not in str(error.value)


def test_one_without_gradients_in_evaluation_may_train():
    params = {"kind": "detached in evaluation"}
    assert build_model("my_nets:Odd", 3, 1, 8, params=params).training


def test_what_it_draws_from_the_whole_process_follows_from_the_seed():
    def drawn(seed):
        torch.manual_seed(seed)
        np.random.seed(9)  # noqa: NPY002 - the generators that own code draws from
        random.seed(9)
        net = build_model("my_nets:Drawn", 3, 1, 8)
        # They stand where they stood: a network takes nothing from what follows.
        assert np.random.rand() == np.random.RandomState(9).rand()  # noqa: NPY002
        assert random.random() == random.Random(9).random()
        return net.weight[0, 0].item(), net.bias[0].item()

    first = drawn(0)
    np.random.rand()  # noqa: NPY002
    assert drawn(0) == first
    assert all(a != b for a, b in zip(drawn(1), first, strict=True))


def test_a_grid_is_checked_with_its_networks():
    content = {
        "arms_file": None,
        "arm_settings": {"fedavg": {"algorithm": "fedavg"}},
        "datasets": ["phantom"],
        "partitions": ["iid"],
        "arms": ["fedavg"],
        "seeds": [0],
    }

    def load(**model):
        return load_grid({**content, "run": {"model": model}}, "grid.yaml")

    load(name="my_nets:Net", params={"width": 3})
    for model, message in (
        ({"name": "rsnet18"}, "grid.yaml: .*unknown model `rsnet18`; did you mean `resnet18`"),
        ({"name": "my_nets:Net", "params": {"w": 3}}, "the run phantom/iid/fedavg/seed0.*'w'"),
        ({"name": "cnn", "params": {"w": 3}}, "the network `cnn` has no params"),
    ):
        with pytest.raises(MedflError, match=message):
            load(**model)


def test_its_file_counts_for_the_hash_of_a_run(my_nets):
    own = FederatedConfig(model="my_nets:Net")
    first = run_code(own).identity
    assert first != run_code(FederatedConfig()).identity
    my_nets.write_text(NETS + "# edited\n")
    code_of.cache_clear()
    assert run_code(own).identity != first


def test_a_run_file_names_it(tmp_path):
    from medfl import cli

    labels = ["a", "b"]
    samples = [Sample(f"s{i}", (labels[i % 2],), f"p{i}", "", "DX") for i in range(40)]
    info = DatasetInfo("phantom", "test", tuple(labels), "multiclass", "DX", True, "", "")
    images = torch.randint(0, 255, (40, 1, 8, 8), dtype=torch.uint8).numpy()
    write_store(tmp_path / "data/prepared/phantom", info, samples, images)
    model = {"name": "my_nets:Net", "params": {"width": 5}}
    run = {"partition": "iid", "federated_learning": {"rounds": 1, "num_clients": 2}}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({**run, "model": model}))
    assert cli.main(["run", "--config", "run.yaml", "--output-dir", "one"]) == 0
    written = FederatedConfig.read("one/config.yaml")
    assert written.model.params == {"width": 5}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({**run, "model": {"name": "cnnn"}}))
    assert cli.main(["run", "--config", "run.yaml", "--output-dir", "two"]) == 2


def test_built_in_networks_are_checked_without_torch():
    import subprocess

    code = (
        "import sys; from medfl.models.registry import MODELS, check_model\n"
        "for name in MODELS: check_model(name, {}, 'x')\n"
        "sys.exit('torch' in sys.modules or 'cnn' not in MODELS)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
