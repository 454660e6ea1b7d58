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


@pytest.mark.parametrize("name", ["cnn", "resnet18"])
def test_late_fusion_adds_what_each_modality_says(name):
    """Its head is linear: the four combinations of two findings add up, so never XOR."""
    torch.manual_seed(0)
    model = build_model(name, 2, 2, (16, 16), branches=(1, 1)).double().eval()
    a, b = torch.randn(2, 1, 1, 16, 16).double(), torch.randn(2, 1, 1, 16, 16).double()

    def logits(first, second):
        with torch.no_grad():
            return model(torch.cat([first, second], dim=1))

    mixed = logits(a[0], b[0]) + logits(a[1], b[1]) - logits(a[0], b[1]) - logits(a[1], b[0])
    torch.testing.assert_close(mixed, torch.zeros_like(mixed), atol=1e-9, rtol=0)
    early = build_model(name, 2, 2, (16, 16)).double().eval()
    with torch.no_grad():
        parts = [
            early(torch.cat([x, y], dim=1))
            for x, y in zip(a[[0, 1, 0, 1]], b[[0, 1, 1, 0]], strict=True)
        ]
    assert (parts[0] + parts[1] - parts[2] - parts[3]).abs().max() > 1e-6
