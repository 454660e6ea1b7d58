import pytest
import torch
from torch import nn

from medfl.errors import MedflError
from medfl.models import MODELS, build_model, normalization_modules


@pytest.mark.parametrize("normalization", ["batch", "group"])
@pytest.mark.parametrize("name", MODELS.available())
def test_logits_are_the_head_of_the_features(name, normalization):
    torch.manual_seed(0)
    model = build_model(name, 5, 2, 16, normalization).eval()
    x = torch.randn(3, 2, 16, 16)
    with torch.no_grad():
        features, logits = model.forward_features(x), model(x)
        assert features.ndim == 2
        assert logits.shape == (3, 5)
        assert torch.equal(logits, model.head(features))
        assert logits.std(dim=0).min() > 0  # logits differ between samples
        last = model.head[-1] if isinstance(model.head, nn.Sequential) else model.head
        assert last.in_features == features.shape[1]
    kinds = {type(m) for m in normalization_modules(model).values()}
    expected = {"batch": nn.BatchNorm2d, "group": nn.GroupNorm}[normalization]
    # A network should have layers that normalise as soon as it convolves.
    convolves = any(isinstance(m, nn.Conv2d) for m in model.modules())
    assert kinds == ({expected} if convolves else set())


@pytest.mark.parametrize(
    ("name", "layers"), [("mlp", 0), ("logistic", 0), ("resnet18", 20), ("densenet121", 121)]
)
def test_how_many_layers_normalise(name, layers):
    """ResNet-18 has one behind each of its 17 convolutions and its 3 shortcuts, DenseNet-121 has
    2 for each of its 58 dense layers, one in each of its 3 transitions, the first and the last.
    """
    assert len(normalization_modules(build_model(name, 3, 1, 16))) == layers


@pytest.mark.parametrize("name", MODELS.available())
def test_every_parameter_gets_a_gradient(name):
    torch.manual_seed(0)
    model = build_model(name, 3, 1, 16)
    loss = nn.functional.cross_entropy(model(torch.randn(4, 1, 16, 16)), torch.tensor([0, 1, 2, 0]))
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())
    assert torch.isfinite(loss)


@pytest.mark.parametrize("name", ["cnn", "resnet18", "efficientnet_b0"])
def test_the_seed_decides_the_weights(name):
    def weights(seed):
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(build_model(name, 3, 1, 28).parameters())

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


@pytest.mark.parametrize(
    ("name", "stem", "small", "large"),
    [
        ("resnet18", "conv1", (3, 1), (7, 2)),
        ("resnet50", "conv1", (3, 1), (7, 2)),
        ("densenet121", "features.conv0", (3, 1), (7, 2)),
        ("efficientnet_b0", "features.0.0", (3, 1), (3, 2)),
    ],
)
def test_stem_keeps_the_resolution_below_64_pixels(name, stem, small, large):
    for size, (kernel, stride) in ((63, small), (64, large)):
        backbone = build_model(name, 2, 1, size).backbone
        conv = backbone.get_submodule(stem)
        assert (conv.kernel_size, conv.stride) == ((kernel,) * 2, (stride,) * 2)
        assert conv.padding == (kernel // 2,) * 2
        pools = [m for m in backbone.modules() if isinstance(m, nn.MaxPool2d)]
        assert bool(pools) == (size == 64 and name != "efficientnet_b0")


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "efficientnet_b0"])
def test_stem_has_the_initial_scale_of_torchvisions(name):
    """A replaced stem is drawn from the distribution torchvision uses for that network."""
    torch.manual_seed(0)
    conv = next(
        m for m in build_model(name, 2, 4, 32).backbone.modules() if isinstance(m, nn.Conv2d)
    )
    fan = 9 * (4 if name == "densenet121" else conv.out_channels)
    assert conv.weight.std().item() == pytest.approx((2 / fan) ** 0.5, rel=0.1)


def test_resnet18_size_as_published():
    # He et al.'s ResNet-18 for ImageNet has 11,689,512 parameters.
    model = build_model("resnet18", 1000, 3, 224)
    assert sum(p.numel() for p in model.parameters()) == 11_689_512


@pytest.mark.parametrize("size", [8, 11, 28, 32, 64])
def test_cnn_takes_any_size(size):
    model = build_model("cnn", 2, 1, size)
    assert model(torch.randn(2, 1, size, size)).shape == (2, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resnet81", 2, 1, 28), "unknown model `resnet81`; did you mean `resnet18`"),
        (("cnn", 2, 1, 28, "layer"), "must be batch or group"),
        (("cnn", 0, 1, 28), "0 classes"),
        (("cnn", 2, 0, 28), "0-channel"),
        (("resnet18", 2, 1, 4), "4 pixels"),
        (("cnn", 2, 1, 28, "batch", True), "no pretrained weights"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(MedflError, match=message):
        build_model(*arguments)
