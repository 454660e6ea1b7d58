import pytest
import torch
from torch import nn

from medfl.errors import MedflError
from medfl.models import MODELS, batch_norm_parameter_names, build_model, normalization_modules
from medfl.models.torchvision_cpu import import_torchvision
from medfl.models.volumes import DenseFeatures, inflate, inflate_convolution


@pytest.mark.parametrize("normalization", ["batch", "group"])
@pytest.mark.parametrize("name", MODELS.available())
def test_every_model_learns_from_volumes_that_are_no_cubes(name, normalization):
    torch.manual_seed(0)
    model = build_model(name, 3, 2, (8, 16, 12), normalization)
    x = torch.randn(2, 2, 8, 16, 12)
    features, logits = model.forward_features(x), model(x)
    assert features.ndim == 2
    assert logits.shape == (2, 3)
    nn.functional.cross_entropy(logits, torch.tensor([0, 2])).backward()
    assert all(p.grad is not None for p in model.parameters())
    kinds = {type(m) for m in normalization_modules(model).values()}
    expected = {"batch": nn.BatchNorm3d, "group": nn.GroupNorm}[normalization]
    # A network should have layers that normalise as soon as it convolves.
    convolves = any(isinstance(m, nn.Conv3d) for m in model.modules())
    assert kinds == ({expected} if convolves else set())
    flat = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.BatchNorm2d)
    assert not [m for m in model.modules() if isinstance(m, flat)]


@pytest.mark.parametrize("name", ["mlp", "logistic"])
def test_every_voxel_counts(name):
    model = build_model(name, 2, 1, (8, 10, 12))
    x = torch.randn(1, 1, 8, 10, 12, requires_grad=True)
    model(x).square().sum().backward()
    assert (x.grad != 0).all()


def test_images_that_are_no_squares_reach_mlp_and_logistic():
    assert build_model("mlp", 2, 1, (8, 12))(torch.zeros(1, 1, 8, 12)).shape == (1, 2)
    assert build_model("logistic", 2, 1, (8, 12)).head.in_features == 96


def test_resnet18_on_volumes_is_torchvisions_r3d_18():
    """All shapes agree; with the same weights and without our max-pool all outputs agree."""
    reference = import_torchvision().models.video.r3d_18(weights=None, num_classes=400).eval()
    model = build_model("resnet18", 400, 3, (16, 64, 64)).eval()
    ours, theirs = list(model.parameters()), list(reference.parameters())
    assert [p.shape for p in ours] == [p.shape for p in theirs]
    assert sum(p.numel() for p in ours) == 33_371_472  # as torchvision's weights file states it
    for norm in (m for m in reference.modules() if isinstance(m, nn.BatchNorm3d)):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    state = dict(zip(model.state_dict(), reference.state_dict().values(), strict=True))
    model.load_state_dict(state)
    model.backbone.maxpool = nn.Identity()
    x = torch.randn(1, 3, 8, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model(x), reference(x))


@pytest.mark.parametrize(
    ("sides", "kernel", "stride", "pool"),
    [
        ((63, 63, 63), (3, 3, 3), (1, 1, 1), None),
        ((64, 64, 64), (7, 7, 7), (2, 2, 2), ((3, 3, 3), (2, 2, 2))),
        ((16, 64, 64), (3, 7, 7), (1, 2, 2), ((1, 3, 3), (1, 2, 2))),
    ],
)
@pytest.mark.parametrize("name", ["resnet18", "densenet121"])
def test_the_stem_keeps_the_resolution_along_short_axes(name, sides, kernel, stride, pool):
    backbone = build_model(name, 2, 1, sides).backbone
    stem = next(m for m in backbone.modules() if isinstance(m, nn.Conv3d))
    assert (stem.kernel_size, stem.stride) == (kernel, stride)
    assert stem.padding == tuple(k // 2 for k in kernel)
    pools = [(m.kernel_size, m.stride) for m in backbone.modules() if isinstance(m, nn.MaxPool3d)]
    assert pools == ([] if pool is None else [pool])


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "efficientnet_b0"])
def test_initial_weights_have_the_scale_of_a_3d_kernel_and_differ_along_depth(name):
    torch.manual_seed(0)
    model = build_model(name, 2, 2, (16, 16, 16))
    layers = [
        m
        for m in model.modules()
        if isinstance(m, nn.Conv3d) and m.kernel_size == (3, 3, 3) and m.weight.numel() > 20_000
    ] or [next(m for m in model.modules() if isinstance(m, nn.Conv3d))]
    for conv in layers[:3]:
        fan = 27 * (conv.in_channels if name == "densenet121" else conv.out_channels)
        assert conv.weight.std().item() == pytest.approx((2 / fan) ** 0.5, rel=0.1)
        assert not torch.allclose(conv.weight[:, :, 0], conv.weight[:, :, 1])


@pytest.mark.parametrize(
    ("kernel", "stride", "groups"), [(3, 1, 1), (3, 2, 2), (1, 2, 1), (5, 1, 4)]
)
def test_equal_slices_give_what_one_slice_gave(kernel, stride, groups):
    """The middle slice, which no padding reaches, is compared in double precision."""
    torch.manual_seed(0)
    flat = nn.Conv2d(4, 8, kernel, stride, kernel // 2, groups=groups).double()
    norm = nn.BatchNorm2d(8).double()
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    net = nn.Sequential(flat, norm).eval()
    x = torch.randn(2, 4, 12, 12, dtype=torch.float64)
    expected = net(x)
    deep = inflate(net)(x.unsqueeze(2).expand(-1, -1, 16, -1, -1))
    middle = deep.shape[2] // 2
    torch.testing.assert_close(deep[:, :, middle], expected, rtol=1e-12, atol=1e-12)
    if kernel > 1:  # the test would not see a kernel that is too thin
        assert not torch.allclose(deep[:, :, 0], expected)


def test_an_inflated_kernel_by_hand():
    flat = nn.Conv2d(1, 1, 3, stride=2, padding=1, bias=False)
    flat.weight.data[:] = torch.arange(9.0).view(1, 1, 3, 3)
    deep = inflate_convolution(flat)
    assert (deep.kernel_size, deep.stride, deep.padding) == ((3,) * 3, (2,) * 3, (1,) * 3)
    assert torch.equal(deep.weight[0, 0, 1], torch.arange(9.0).view(3, 3) / 3)
    thick = inflate_convolution(flat, depth=5)
    assert (thick.kernel_size, thick.stride, thick.padding) == ((5, 3, 3), (1, 2, 2), (2, 1, 1))
    torch.testing.assert_close(thick.weight.sum(2), flat.weight)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "densenet121", "efficientnet_b0"])
def test_an_inflated_network_answers_as_the_flat_one(name):
    """Whole networks are compared in evaluation mode; circular padding gives depth no border."""
    torch.manual_seed(0)
    net = getattr(import_torchvision().models, name)(weights=None, num_classes=5).double().eval()
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.padding_mode = "circular"
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.8, 1.2)
    x = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        expected = net(x)
        deep = inflate(net)
        if name == "densenet121":
            deep = nn.Sequential(DenseFeatures(net.features), net.classifier)
        answer = deep(x.unsqueeze(2).expand(-1, -1, 32 if name == "resnet18" else 64, -1, -1))
    torch.testing.assert_close(answer, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("sides", "kept"), [((64, 64, 64), True), ((16, 64, 64), True), ((32,) * 3, False)]
)
def test_pretrained_weights_are_inflated(tmp_path, monkeypatch, sides, kept):
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    torch.manual_seed(7)
    weights = import_torchvision().models.resnet18(weights=None).state_dict()
    torch.save(weights, folder / "resnet18-f37072fd.pth")
    state = build_model("resnet18", 2, 1, sides, pretrained=True).backbone.state_dict()
    flat = weights["layer2.0.conv1.weight"]
    torch.testing.assert_close(
        state["layer2.0.conv1.weight"], (flat / 3).unsqueeze(2).expand(-1, -1, 3, -1, -1)
    )
    assert torch.equal(state["layer2.0.bn1.running_var"], weights["layer2.0.bn1.running_var"])
    # A grey volume of equal slices: the stem's response is that to the grey image as RGB.
    summed = state["conv1.weight"].sum((1, 2))
    rgb = weights["conv1.weight"].sum(1)
    assert (summed.shape == rgb.shape and torch.allclose(summed, rgb, atol=1e-5)) == kept


def test_fedbn_finds_the_batch_norms_of_volumes():
    assert len(batch_norm_parameter_names(build_model("resnet18", 2, 1, (8, 8, 8)))) == 4 * 20


@pytest.mark.parametrize(
    ("size", "message"), [((16, 4, 16), "16×4×16 pixels"), ((8, 8, 8, 8), "two or three sides")]
)
def test_impossible_sides_are_refused(size, message):
    with pytest.raises(MedflError, match=message):
        build_model("cnn", 2, 1, size)
