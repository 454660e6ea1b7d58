import pytest
import torch
from torch import nn

from medfl.errors import MedflError
from medfl.models import (
    batch_norm_parameter_names,
    batch_to_group_norm,
    build_model,
    normalization_modules,
)
from medfl.models.normalization import group_count
from medfl.models.torchvision_cpu import import_torchvision


@pytest.mark.parametrize(
    ("channels", "groups"),
    [(1, 1), (4, 1), (6, 1), (8, 2), (16, 4), (64, 16), (97, 1), (112, 28), (144, 24), (512, 32)],
)
def test_group_count(channels, groups):
    assert group_count(channels) == groups


def test_group_norm_replaces_batch_norm_of_any_dimension_and_keeps_its_scale():
    model = nn.Sequential(
        nn.BatchNorm1d(8),
        nn.Sequential(nn.BatchNorm2d(16, eps=1e-3), nn.BatchNorm3d(12, affine=False)),
        nn.SyncBatchNorm(4),
        nn.InstanceNorm2d(4),
    ).double()
    nn.init.normal_(model[0].weight)
    weight = model[0].weight.detach().clone()
    assert batch_to_group_norm(model) is model
    norms = [model[0], model[1][0], model[1][1], model[2]]
    assert [(type(m), m.num_groups, m.num_channels) for m in norms] == [
        (nn.GroupNorm, 2, 8),
        (nn.GroupNorm, 4, 16),
        (nn.GroupNorm, 3, 12),
        (nn.GroupNorm, 1, 4),
    ]
    assert torch.equal(model[0].weight, weight)
    assert model[0].weight.dtype == torch.float64
    assert model[1][0].eps == 1e-3
    assert model[1][1].weight is None
    assert type(model[3]) is nn.InstanceNorm2d


def test_a_shared_layer_stays_shared_and_a_bare_one_is_replaced():
    norm = nn.BatchNorm2d(8)
    model = batch_to_group_norm(nn.ModuleDict({"a": norm, "b": norm}))
    assert model["a"] is model["b"]
    assert type(batch_to_group_norm(nn.BatchNorm2d(8))) is nn.GroupNorm


def test_group_norm_on_vectors_still_trains():
    """The trap is GroupNorm(C, C): on (N, C) its output is the bias, whatever the input."""
    torch.manual_seed(0)
    model = batch_to_group_norm(
        nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
    )
    x = torch.randn(64, 6)
    y = (x[:, 0] * x[:, 1] > 0).long()
    optimizer = torch.optim.SGD(model.parameters(), 0.3)
    for _ in range(200):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    assert loss < 0.3  # log 2 = 0.69 is what a constant output leaves


def test_too_narrow_a_vector_layer_is_refused():
    with pytest.raises(MedflError, match=r"^0.1: batch norm over 3 channel"):
        batch_to_group_norm(nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))))


def test_conversion_uses_no_random_numbers():
    torch.manual_seed(0)
    batch = dict(build_model("cnn", 3, 1, 28).named_parameters())
    torch.manual_seed(0)
    group = dict(build_model("cnn", 3, 1, 28, "group").named_parameters())
    assert batch.keys() == group.keys()
    assert all(torch.equal(batch[name], group[name]) for name in batch)


@pytest.mark.parametrize(
    ("name", "layers"), [("resnet18", 20), ("resnet50", 53), ("densenet121", 121), ("cnn", 3)]
)
def test_all_batch_norms_are_found_and_nothing_else(name, layers):
    """Counts by the papers: 17 + 3, 49 + 4 (with shortcuts) and 120 + 1 normalised layers."""
    model = build_model(name, 3, 1, 28)
    names = batch_norm_parameter_names(model)
    assert len(names) == 4 * layers == 4 * len(normalization_modules(model))
    tensors = dict(model.named_parameters()) | dict(model.named_buffers())
    assert names <= tensors.keys()
    # What is left are weights of more than one dimension and the last layer's bias.
    assert all(tensors[n].ndim == 1 for n in names)
    rest = tensors.keys() - names
    assert {n.rsplit(".", 1)[1] for n in rest if tensors[n].ndim == 0} == {"num_batches_tracked"}
    assert [n for n in rest if tensors[n].ndim == 1] == ["head.bias"]


def test_resnet_shortcuts_count_as_batch_norm():
    names = batch_norm_parameter_names(build_model("resnet18", 3, 1, 28))
    kinds = ("weight", "bias", "running_mean", "running_var")
    assert {f"backbone.layer2.0.downsample.1.{kind}" for kind in kinds} <= names
    assert "backbone.layer2.0.downsample.0.weight" not in names


def test_names_without_affine_or_statistics_or_prefix():
    assert batch_norm_parameter_names(nn.BatchNorm2d(4, affine=False)) == {
        "running_mean",
        "running_var",
    }
    assert batch_norm_parameter_names(nn.BatchNorm2d(4, track_running_stats=False)) == {
        "weight",
        "bias",
    }
    assert batch_norm_parameter_names(build_model("cnn", 3, 1, 28, "group")) == set()


def test_normalization_modules_are_found_by_type():
    layer_norm_2d = import_torchvision().models.convnext.LayerNorm2d
    model = nn.ModuleDict(
        {
            "x": nn.Sequential(nn.GroupNorm(1, 4), nn.Conv2d(1, 1, 1)),
            "y": layer_norm_2d(4),
            "bn": nn.Linear(2, 2),
            "z": nn.InstanceNorm1d(2),
        }
    )
    assert list(normalization_modules(model)) == ["x.0", "y", "z"]
