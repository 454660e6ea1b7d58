"""Attackers whose training samples are not what they say, and hospitals whose files are wrong."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from medfl.chain.link import Stage
from medfl.registry import HyperParams
from medfl.robustness.attacks.base import Attack

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain.roles import Client, Server


class SampleAttack(Attack):
    """Changes a share of the attackers' training samples: the same ones in every round."""

    class Params(HyperParams):
        """share: of the samples of each attacker, drawn once; 0 switches the link off."""

        share: float = Field(1.0, ge=0, le=1)

    stage: ClassVar[Stage] = "data"

    @property
    def idle(self) -> bool:
        """Without a sample nothing is changed."""
        return bool(self.params.share == 0)

    def setup(self, server: Server) -> None:
        """Draw the samples."""
        import torch

        super().setup(server)
        count = len(server.data.groups)
        drawn = torch.rand(count, generator=self.stream("samples"), dtype=torch.float64)
        self._chosen = drawn < self.params.share
        self.classes = len(server.data.info.classes)

    def samples(self, client: Client, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Change those of an attacker's samples that were drawn."""
        if client.id not in self.attackers:
            return images, labels
        rows = client.drawn.rows.to(self._chosen.device)
        chosen = self._chosen[rows].to(labels.device)
        return self.changed(images.clone(), labels.clone(), chosen, rows)

    @abstractmethod
    def changed(
        self, images: Tensor, labels: Tensor, chosen: Tensor, rows: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The samples, of which those of ``chosen`` (B,) are changed, in place if need be.

        ``rows`` (B,) are their store rows, on the CPU.
        """


class LabelFlip(SampleAttack):
    """Class k of K becomes K − 1 − k; of several labels each becomes its opposite.

    Fang, Cao, Jia and Gong, Local Model Poisoning Attacks to Byzantine-Robust Federated Learning,
    USENIX Security 2020, section 5.
    """

    effect = "attackers train on flipped labels"

    def changed(
        self, images: Tensor, labels: Tensor, chosen: Tensor, rows: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Flip the labels."""
        flipped = 1 - labels if labels.ndim > 1 else self.classes - 1 - labels
        labels[chosen] = flipped[chosen]
        return images, labels


class RandomLabels(SampleAttack):
    """A sample's class becomes one that is drawn at random, once for the whole run."""

    effect = "attackers train on random labels"

    def setup(self, server: Server) -> None:
        """Draw the labels: a class, or each of several labels with probability ½."""
        import torch

        super().setup(server)
        generator, count = self.stream("labels"), len(server.data.groups)
        several = server.data.info.task == "multilabel"
        size = (count, self.classes) if several else (count,)
        self._labels = torch.randint(2 if several else self.classes, size, generator=generator)

    def changed(
        self, images: Tensor, labels: Tensor, chosen: Tensor, rows: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Put the drawn labels in place."""
        labels[chosen] = self._labels[rows].to(labels)[chosen]
        return images, labels


class MislabelledSite(SampleAttack):
    """A hospital whose coding table is off: class k becomes k + ``shift``, round and round."""

    class Params(SampleAttack.Params):
        """shift: by how many classes."""

        shift: int = Field(1, ge=1)

    effect = "attackers train on labels of the next class"

    def changed(
        self, images: Tensor, labels: Tensor, chosen: Tensor, rows: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Shift the labels."""
        shift = self.params.shift
        moved = labels.roll(shift, 1) if labels.ndim > 1 else (labels + shift) % self.classes
        labels[chosen] = moved[chosen]
        return images, labels


class InvertedImages(SampleAttack):
    """A hospital whose images are inverted: black is white, as in MONOCHROME1 read wrongly."""

    effect = "attackers train on inverted images"

    def changed(
        self, images: Tensor, labels: Tensor, chosen: Tensor, rows: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Invert the pixels within the range of 8 bits, or of each image where there are more."""
        low, high = pixel_range(images)
        here = chosen.to(images.device)
        images[here] = (high + low - images).to(images.dtype)[here]
        return images, labels


def pixel_range(images: Tensor) -> tuple[Tensor, Tensor]:
    """The darkest and the brightest value, int32 (B, 1, …).

    Of 8 bits they are 0 and 255; 16 bits hold a scanner's own units, and there they are each
    image's own.
    """
    import torch

    whole = images.to(torch.int32)
    axes = tuple(range(1, images.ndim))
    low, high = whole.amin(axes, keepdim=True), whole.amax(axes, keepdim=True)
    if images.dtype == torch.uint8:
        return torch.zeros_like(low), torch.full_like(high, 255)
    return low, high
