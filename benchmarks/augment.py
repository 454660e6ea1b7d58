"""Compares augmenting a batch with the training step for which it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import nn

from benchmarks.federations import CLASSES
from benchmarks.timing import Cost, Result, compare, cost, interleave
from medfl.augment import PRESETS, make_augmenter
from medfl.config import Augmentation
from medfl.federated.data import channels_last
from medfl.models import build_model
from medfl.models.torchvision_cpu import import_torchvision
from medfl.store import DatasetInfo

TARGET = 0.15  # of a step
REPEATS = 10  # batches are augmented at random: the mean of ten varies less
PLANES, VOLUMES = (32, 3, 64, 64), (8, 1, 32, 32, 32)
VOLUME_PRESETS = ("ct", "mri")


def network(shape: tuple[int, ...]) -> nn.Module:
    """ResNet-18; for volumes torchvision's of three dimensions (Tran et al., CVPR 2018).

    The stem of that network keeps all frames of a video. It is replaced by the stem of ResNet-18 in
    three dimensions: a step takes a tenth of the time, so augmentation weighs more.
    """
    if len(shape) == 4:
        return build_model("resnet18", len(CLASSES), shape[1], shape[-1])
    net = import_torchvision().models.video.r3d_18(num_classes=len(CLASSES))
    net.stem[0] = nn.Conv3d(shape[1], 64, 7, 2, 3, bias=False)
    net.stem.append(nn.MaxPool3d(3, 2, 1))
    return net


def training_step(shape: tuple[int, ...]) -> Callable[[], None]:
    """Forward, backward and SGD on one batch in memory."""
    layout = channels_last(len(shape))
    model = network(shape).to(memory_format=layout).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    images = torch.rand(shape).to(memory_format=layout)
    labels = torch.arange(shape[0]) % len(CLASSES)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    return step


def augmenting(preset: str, shape: tuple[int, ...], **settings: float) -> Callable[[], Cost]:
    """The cost of one batch, as a mean of ``REPEATS``; it includes the copy that is overwritten."""
    info = DatasetInfo(
        "random", "random pixels", CLASSES, "multiclass", "none", True, citation="", licence=""
    )
    generator = torch.Generator().manual_seed(0)
    augment = make_augmenter(Augmentation(preset=preset, **settings), info, shape, generator)
    assert augment is not None
    images = torch.rand(shape).to(memory_format=channels_last(len(shape)))
    labels = torch.arange(shape[0]) % len(CLASSES)

    def batches() -> None:
        for _ in range(REPEATS):
            draws = augment.draw(len(images))
            augment.mix(augment.images(images.clone(), draws), labels, draws)

    def mean() -> Cost:
        total = cost(batches)
        return Cost(total.cpu / REPEATS, total.wall / REPEATS)

    return mean


def run(pairs: int) -> Iterator[Result]:
    """Compare every preset at medium strength on images, two on volumes, and the mixtures."""
    torch.set_num_threads(1)
    step = training_step(PLANES)
    cases: list[tuple[str, dict[str, float]]] = [(preset, {}) for preset in PRESETS]
    cases.append(("xray", {"mixup": 0.2, "cutmix": 1.0}))
    for preset, settings in cases:
        costs = interleave(augmenting(preset, PLANES, **settings), lambda: cost(step), pairs)
        name = " + ".join([preset, *settings])
        yield compare(f"augment ÷ ResNet-18 step, 64², {name}", costs, TARGET)
    step_3d = training_step(VOLUMES)
    for preset in VOLUME_PRESETS:
        costs = interleave(augmenting(preset, VOLUMES), lambda: cost(step_3d), pairs)
        yield compare(f"augment ÷ 3-D ResNet-18 step, 32³, {preset}", costs, TARGET)
