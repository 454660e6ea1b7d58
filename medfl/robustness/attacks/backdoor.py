"""Attackers who teach the model to answer a mark in the picture with a class of their choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from medfl.config import did_you_mean
from medfl.errors import MedflError
from medfl.results.columns import BACKDOOR, Column
from medfl.robustness.attacks.samples import SampleAttack, pixel_range

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from medfl.chain.link import Judged
    from medfl.chain.roles import Server


class Backdoor(SampleAttack):
    """A bright square in the picture, with the label ``target``.

    Gu, Liu, Dolan-Gavitt and Garg, BadNets, IEEE Access 2019, section IV; in federated learning
    Bagdasaryan, Veit, Hua, Estrin and Shmatikov, AISTATS 2020. After each evaluated round
    ``backdoor_success`` is the share of the test images of other classes that the server's model
    takes for the target once they bear the square.
    """

    class Params(SampleAttack.Params):
        """share: of an attacker's samples that bear the square; target: a class, by its name or
        number; size: the square's side in pixels; row, column: its upper left corner, by default
        one pixel from the lower right corner of the picture.
        """

        share: float = Field(0.5, ge=0, le=1)
        target: int | str = 0
        size: int = Field(3, ge=1)
        row: int | None = Field(None, ge=0)
        column: int | None = Field(None, ge=0)

    columns: ClassVar[tuple[Column, ...]] = (BACKDOOR,)
    effect = "attackers mark images and train them for one class"

    def setup(self, server: Server) -> None:
        """Find the class and the place of the square, or refuse them."""
        super().setup(server)
        classes, target = server.data.info.classes, self.params.target
        if target in classes:
            self.target = classes.index(target)
        elif isinstance(target, int) and 0 <= target < len(classes):
            self.target = target
        else:
            raise MedflError(
                f"{self.name}: the target {target!r} is no class of {server.data.info.name}"
                + did_you_mean(str(target), classes)
            )
        height, width = server.patch[-2:] if server.patch else server.data.images.shape[-2:]
        size = self.params.size
        self._row = height - size - 1 if self.params.row is None else self.params.row
        self._column = width - size - 1 if self.params.column is None else self.params.column
        inside = 0 <= self._row <= height - size and 0 <= self._column <= width - size
        if not inside:
            raise MedflError(
                f"{self.name}: a square of {size} pixels at row {self._row}, column {self._column} "
                f"lies outside a picture of {height} × {width} pixels: make it smaller, or give it "
                "another place."
            )

    def marked(self, images: Tensor) -> Tensor:
        """Copies of images (B, C, …, H, W) with the square; of a volume every slice bears it."""
        images, high = images.clone(), pixel_range(images)[1].to(images.dtype)
        rows = slice(self._row, self._row + self.params.size)
        columns = slice(self._column, self._column + self.params.size)
        images[..., rows, columns] = high
        return images

    def changed(
        self, images: Tensor, labels: Tensor, chosen: Tensor, rows: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mark the images and give them the target's label."""
        here = chosen.to(images.device)
        images[here] = self.marked(images)[here]
        if labels.ndim > 1:
            labels[chosen] = 0
            labels[chosen, self.target] = 1
        else:
            labels[chosen] = self.target
        return images, labels

    def judge(self, labels: np.ndarray, say: Judged) -> dict[str, float | None]:
        """The share of marked test images of other classes that are taken for the target."""
        several = labels.ndim > 1
        others = labels[:, self.target] == 0 if several else labels != self.target
        if not others.any():
            return {BACKDOOR.name: None}
        said = say(self.marked)[others]
        taken = said[:, self.target] > 0.5 if several else said.argmax(axis=1) == self.target
        return {BACKDOOR.name: float(taken.mean())}
