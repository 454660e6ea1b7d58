"""The local training that every way takes: so many clients, each so many steps from one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

CLASSES, CHANNELS, LEARNING_RATE = 7, 3, 0.01
MEAN, DEVIATION = 0.5, 0.25  # of pixels from 0 to 1
SMALL = 64  # below this side torchvision's stem keeps its resolution, as in medfl.models


@dataclass(frozen=True)
class Shape:
    """What is trained.

    Attributes:
        network: ``cnn``, ``resnet18`` or ``efficientnet_b0``.
        side: of the images, in pixels.
        half: whether forward passes compute in bfloat16.
        clients: how many train in a round.
        steps: of each client in a round.
        batch: images of a step.
    """

    network: str
    side: int
    half: bool
    clients: int
    steps: int
    batch: int

    @property
    def words(self) -> str:
        return f"{self.network} at {self.side}², {'bfloat16' if self.half else 'float32'}"

    @property
    def images(self) -> int:
        """How many images a round trains on."""
        return self.clients * self.steps * self.batch

    def to_words(self) -> list[str]:
        """As words of a command line."""
        network, *numbers = vars(self).values()
        return [network, *(str(int(number)) for number in numbers)]

    @classmethod
    def from_words(cls, words: Sequence[str]) -> Shape:
        """From what ``to_words`` gave."""
        network, side, half, *rest = words
        return cls(network, int(side), half == "1", *map(int, rest))


@dataclass(frozen=True)
class Work:
    """A round's work, on its device.

    Attributes:
        shape: of it.
        start: the network with which all clients begin, in training mode, channels last.
        images: (clients, steps, batch, channels, side, side), uint8.
        labels: (clients, steps, batch).
    """

    shape: Shape
    start: nn.Module
    images: Tensor
    labels: Tensor

    @property
    def device(self) -> torch.device:
        return self.labels.device


def make_work(shape: Shape, device: torch.device) -> Work:
    """The work of this shape, on random images; the same at each call."""
    draw = torch.Generator().manual_seed(0)
    lead = (shape.clients, shape.steps, shape.batch)
    pixels = (*lead, CHANNELS, shape.side, shape.side)
    images = torch.randint(0, 256, pixels, dtype=torch.uint8, generator=draw)
    labels = torch.randint(0, CLASSES, lead, generator=draw)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        start = build(shape.network, shape.side)
    start = start.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    return Work(shape, start, images.to(device), labels.to(device))


def build(network: str, side: int) -> nn.Module:
    """The engine's network; on a machine without its packages the same layers of torchvision."""
    try:
        from medfl.models import build_model
    except ModuleNotFoundError as error:
        if network == "cnn":
            raise ModuleNotFoundError(f"the CNN is medfl's own, which needs {error.name}") from None
    else:
        return build_model(network, CLASSES, CHANNELS, side)
    from torchvision import models

    net: nn.Module = getattr(models, network)(num_classes=CLASSES)
    if side < SMALL and network == "resnet18":
        net.conv1 = nn.Conv2d(CHANNELS, 64, 3, 1, 1, bias=False)
        net.maxpool = nn.Identity()
    elif side < SMALL:
        raise ModuleNotFoundError(f"{network} at {side}² is medfl's own: its packages are missing")
    return net


def normalised(images: Tensor) -> Tensor:
    """Pixels (…, C, H, W) as the network takes them, of mean 0 and deviation 1."""
    return images.to(torch.float32).mul_(1 / (255 * DEVIATION)).add_(-MEAN / DEVIATION)


def values(net: nn.Module) -> list[Tensor]:
    """All that training changes and that travels: parameters, then floating buffers."""
    floating = [buffer for buffer in net.buffers() if buffer.is_floating_point()]
    return [*net.parameters(), *floating]
