"""What one ε protects: an image, or all images of a patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medfl.errors import MedflError
from medfl.privacy.dp_sgd.link import NoisyDescent

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain.roles import Client, HeldData, Server


class ImagePrivacy(NoisyDescent):
    """Differential privacy of single images."""

    def word(self, data: HeldData) -> str:
        """An image."""
        return "image"

    def units(self, client: Client) -> Tensor:
        """Each row is a unit."""
        import torch

        return torch.arange(len(client.rows))

    def count(self, data: HeldData, client: int) -> int:
        """The client's training images."""
        return len(data.indices(client, "train"))


class PatientPrivacy(NoisyDescent):
    """Differential privacy of all images of a patient together.

    A patient adds the mean of its images' gradients, clipped as one. Where the store's groups are
    something else, such as lesions, these are the units, and they are called so.
    """

    def word(self, data: HeldData) -> str:
        """The store's own word for its groups."""
        return data.info.group

    def units(self, client: Client) -> Tensor:
        """The number of each row's patient."""
        return client.groups

    def count(self, data: HeldData, client: int) -> int:
        """The client's training patients."""
        return int(data.group_numbers(data.indices(client, "train")).max()) + 1

    def setup(self, server: Server) -> None:
        """Refuse a patient at two clients, for whom the ε of both would add up."""
        data, word = server.data, server.data.info.group
        seen, twice = set[str](), set[str]()
        for client in data.clients:
            here = set(data.groups[data.indices(client, "train").cpu().numpy()].tolist())
            twice |= seen & here
            seen |= here
        if twice:
            raise MedflError(
                f"{self.name}: {len(twice):,} {word}(s) have training images at several clients, "
                f"where their ε would add up: deal whole {word}s (split.allow_divided_patients: "
                "false), or protect images with dp_image."
            )
        super().setup(server)
