import pytest
import torch
from torch import nn

from medfl.errors import MedflError
from medfl.models import MODELS, build_model


@pytest.mark.parametrize("sides", [(16, 16), (8, 16, 12)])
@pytest.mark.parametrize("name", [name for name in MODELS if name != "resnet50"])
def test_late_fusion_is_the_branches_features_side_by_side(name, sides):
    torch.manual_seed(0)
    model = build_model(name, 3, 3, sides, branches=(2, 1)).eval()
    x = torch.randn(2, 3, *sides)
    first, second = model.backbone.branches
    with torch.no_grad():
        features = torch.cat([first(x[:, :2]), second(x[:, 2:])], dim=1)
        assert torch.equal(model.forward_features(x), features)
        assert torch.equal(model(x), model.head(features))
        assert model(x).shape == (2, 3)
        moved = x.clone()
        moved[:, 2] += 1  # the other modality: the first branch does not see it
        width = first(x[:, :2]).shape[1]
        assert torch.equal(model.forward_features(moved)[:, :width], features[:, :width])
        assert not torch.equal(model.forward_features(moved)[:, width:], features[:, width:])


def test_late_fusion_costs_a_backbone_for_each_modality():
    def count(module):
        return sum(p.numel() for p in module.parameters())

    one = build_model("resnet18", 4, 1, 32)
    two = build_model("resnet18", 4, 2, 32, branches=(1, 1))
    assert count(two.backbone) == 2 * count(one.backbone)
    assert two.head.weight.shape == (4, 1024)


def test_the_branches_start_apart_and_keep_their_dropout():
    torch.manual_seed(0)
    model = build_model("efficientnet_b0", 2, 2, 16, "group", branches=(1, 1))
    first, second = (next(net.parameters()) for net in model.backbone.branches)
    assert not torch.equal(first, second)
    assert isinstance(model.head[0], nn.Dropout)
    assert model.head[1].in_features == 2 * 1280


@pytest.mark.parametrize("branches", [(2,), (1, 2), (0, 2)])
def test_branches_must_be_all_channels(branches):
    with pytest.raises(MedflError, match="together are the images' 2"):
        build_model("cnn", 2, 2, 16, branches=branches)
