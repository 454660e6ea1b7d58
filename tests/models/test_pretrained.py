import urllib.error

import pytest
import torch

from medfl.errors import MedflError
from medfl.models import build_model
from medfl.models.backbones import adapt_channels
from medfl.models.torchvision_cpu import import_torchvision

WEIGHTS_FILE = "resnet18-f37072fd.pth"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache and no network."""

    def refuse(*args, **kwargs):
        raise urllib.error.URLError("network is unreachable")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def weights(cache):
    """ResNet-18 with made-up weights in the place of torchvision's."""
    torch.manual_seed(7)
    state = import_torchvision().models.resnet18(weights=None).state_dict()
    torch.save(state, cache / WEIGHTS_FILE)
    return state


def test_weights_come_from_the_cache(weights):
    torch.manual_seed(0)
    model = build_model("resnet18", 4, 3, 64, pretrained=True)
    state = model.backbone.state_dict()
    assert state.keys() == {name for name in weights if not name.startswith("fc.")}
    assert all(torch.equal(state[name], weights[name]) for name in state)
    assert model.head.weight.shape == (4, 512)
    assert not torch.equal(model.head.weight, weights["fc.weight"][:4])


def test_grey_image_gives_what_it_gave_as_rgb(weights):
    x = torch.randn(2, 1, 64, 64)
    rgb = build_model("resnet18", 4, 3, 64, pretrained=True).eval()
    with torch.no_grad():
        expected = rgb.forward_features(x.expand(-1, 3, -1, -1))
        for channels in (1, 2):
            model = build_model("resnet18", 4, channels, 64, pretrained=True).eval()
            features = model.forward_features(x.expand(-1, channels, -1, -1))
            torch.testing.assert_close(features, expected, rtol=1e-3, atol=1e-4)


def test_adapt_channels_by_hand():
    kernel = torch.tensor([1.0, 2.0, 6.0]).reshape(1, 3, 1, 1)
    assert adapt_channels(kernel, 1).flatten().tolist() == [9]
    assert adapt_channels(kernel, 2).flatten().tolist() == [4.5, 4.5]
    assert adapt_channels(kernel, 3) is kernel


def test_small_stem_is_new_and_the_rest_pretrained(weights):
    state = build_model("resnet18", 4, 1, 28, pretrained=True).backbone.state_dict()
    assert state["conv1.weight"].shape == (64, 1, 3, 3)
    same = [torch.equal(state[name], weights[name]) for name in state if name != "conv1.weight"]
    assert all(same)


def test_group_norm_keeps_pretrained_scales(weights):
    model = build_model("resnet18", 4, 3, 64, "group", pretrained=True)
    assert torch.equal(model.backbone.layer1[0].bn1.weight, weights["layer1.0.bn1.weight"])


@pytest.mark.parametrize("content", [None, b"", b"not a checkpoint"])
def test_missing_or_corrupt_weights_say_what_to_do(cache, content):
    if content is not None:
        (cache / WEIGHTS_FILE).write_bytes(content)
    with pytest.raises(MedflError) as caught:
        build_model("resnet18", 4, 3, 64, pretrained=True)
    message = str(caught.value)
    assert str(cache / WEIGHTS_FILE) in message
    assert "pretrained: false" in message
    assert ("could not be read" in message) == (content is not None)
    assert "\n" not in message
