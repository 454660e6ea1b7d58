"""The samples of a run: loaded onto the device once, or read from the disk batch by batch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from medfl.augment import Augmenter
from medfl.augment.units import from_unit, to_unit
from medfl.errors import MedflError
from medfl.federated.disk import DiskImages
from medfl.federated.memory import room_in_memory
from medfl.partition import Split, client_transform
from medfl.partition.base import Transform
from medfl.store import DatasetInfo, Store
from medfl.store.reading import read_whole
from medfl.store.statistics import pixel_statistics

Crop = Callable[[Tensor], Tensor]
"""Cuts a part out of each image of a batch: (B, C, …) to (B, C, …)."""
Samples = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Gives other images and labels in place of a batch's own."""
Change = Callable[[Tensor], Tensor]
"""Gives other pixel values in place of a batch's own."""
ROOT = "root"  # the fold of samples that are the server's own
PUBLIC_PIXELS = (0.5, 0.5)  # mean and deviation of every channel, as MedMNIST's authors take them


class FederatedData:
    """All images and labels of a split, and who holds what.

    Attributes:
        images: (n, C, H, W) or (n, C, D, H, W), uint8 or int16, in the store's order: a tensor on
            the device, or ``DiskImages``, which reads them from the disk.
        labels: (n,) int64, or (n, K) float for multi-label data.
        groups: (n,) str, the patient or lesion, as the store names it.
        info: the dataset's description.
        mean, std: (C,), which normalise pixels / full range: those of the split's training images,
            or public constants.
        public_pixels: whether they are public constants.
        clients: ids of the clients that train, ascending.
        unseen: ids of those who only have test samples, ascending: hospitals never seen.
        holders: client of the split that trains → the client that holds its samples here. That is
            itself, unless the clients were merged.
    """

    def __init__(
        self,
        store: Store,
        split: Split,
        device: torch.device | str = "cpu",
        images: str = "auto",
        memory_limit: float | None = None,
        public_pixels: bool = False,
    ) -> None:
        """Load a store's samples, or open them on the disk, for the clients of its split.

        Args:
            store: the dataset.
            split: who holds what.
            device: where the model is.
            images: where they are: ``memory`` (the device's), ``disk``, or ``auto``, which is
                memory where there is room.
            memory_limit: GiB that count as room; None stands for half of what is free.
            public_pixels: normalise by ``PUBLIC_PIXELS`` instead of the training images' own mean
                and deviation, which would tell of them.

        Raises:
            MedflError: the split is another store's, or the images do not fit into memory.
        """
        if len(split.samples) != len(store):
            raise MedflError(
                f"the split holds {len(split.samples)} samples, the store {store.path} "
                f"{len(store)}: make the split again for this store."
            )
        self.split = split
        self.info: DatasetInfo = store.info
        self.public_pixels = public_pixels
        channels = store.images.shape[1]
        self.mean, self.std = (
            tuple((value,) * channels for value in PUBLIC_PIXELS)
            if public_pixels
            else normalisation(store, split)
        )
        self.unseen = list(split.unseen)
        everyone = [int(k) for k in np.unique(split.clients)]
        self.clients = [client for client in everyone if client not in self.unseen]
        self.holders = {client: client for client in self.clients}
        self.device = torch.device(device)
        transforms = {}
        for client in everyone:
            transform = client_transform(split.partition, client, split.num_clients, split.seed)
            if transform is not None:
                transforms[client] = transform
        if images == "auto":
            room = room_in_memory(self.device, memory_limit)
            images = "memory" if store.images.nbytes <= room else "disk"
        self.images: Tensor | DiskImages
        if images == "disk":
            self.images = DiskImages(store, split.clients, transforms, self.device)
        else:
            self.images = self._load(store, transforms)
        labels = torch.from_numpy(np.asarray(store.labels))
        self.labels = labels.to(self.device)
        if self.info.task == "multilabel":
            self.labels = self.labels.float()
        self.groups = store.groups
        self.store_fingerprint = store.fingerprint()
        # With these two, pixels become normalised values by one multiplication and one addition.
        mean, std = torch.tensor(self.mean), torch.tensor(self.std)
        std[std == 0] = 1  # a channel that is the same everywhere
        shape = (1, -1, *[1] * (store.images.ndim - 2))
        full = np.iinfo(store.images.dtype).max
        self._scale = (1 / (full * std)).view(shape).to(self.device)
        self._shift = (-mean / std).view(shape).to(self.device)

    def _load(self, store: Store, transforms: dict[int, Transform]) -> Tensor:
        """Load all images onto the device, each as its client sees it."""
        try:
            images = read_whole(store.images)
            for client, transform in transforms.items():
                rows = np.flatnonzero(self.split.clients == client)
                images[rows] = transform(images[rows])
            return torch.from_numpy(images).to(self.device)
        except (MemoryError, torch.OutOfMemoryError) as error:
            raise MedflError(
                f"the {store.images.nbytes / 2**30:.1f} GiB of images in {store.path} do not fit "
                "into memory: set `training.images: disk`."
            ) from error

    def indices(self, client: int, fold: str) -> Tensor:
        """Store rows of one client's fold, ascending, on the device that gathers the images."""
        return self._rows(self.split.indices(client, fold))

    def pooled(self, fold: str) -> Tensor:
        """Store rows of a fold of all clients, ascending, on the device that gathers the images."""
        return self._rows(self.split.pooled(fold))

    @property
    def root(self) -> Tensor:
        """Store rows of the server's own samples, ascending; usually there are none."""
        return self._rows(np.flatnonzero(self.split.folds == ROOT))

    def merged(self) -> FederatedData:
        """The same data in the hands of one client, 0; its images are as the clients saw them."""
        whole = copy.copy(self)
        whole.split, whole.clients, whole.unseen = self.split.merged(), [0], []
        whole.holders = dict.fromkeys(self.clients, 0)
        return whole

    def group_numbers(self, rows: Tensor) -> Tensor:
        """The groups of these store rows as whole numbers from 0 up, (n,), on the CPU."""
        _, numbers = np.unique(self.groups[rows.cpu().numpy()], return_inverse=True)
        return torch.from_numpy(numbers.astype(np.int64))

    def _rows(self, rows: np.ndarray) -> Tensor:
        # Rows on a GPU would make the thread that reads wait until the GPU has done its work.
        on_disk = isinstance(self.images, DiskImages)
        return torch.from_numpy(rows).to("cpu" if on_disk else self.device)

    def ahead(self, parts: Iterable[Tensor]) -> Iterator[Tensor]:
        """Give batches of rows one by one; images on the disk are read ahead of their turn.

        For that a few batches are taken from ``parts`` early. So whoever draws random numbers
        between two batches must not draw from the stream that shuffles the rows.
        """
        return self.images.ahead(parts) if isinstance(self.images, DiskImages) else iter(parts)

    def batch(
        self,
        rows: Tensor,
        augment: Augmenter | None = None,
        crop: Crop | None = None,
        samples: Samples | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Normalised images (B, C, …) and labels of these rows.

        Where they are given, ``crop``, ``samples`` and ``augment`` act in this order.
        """
        images, labels = self.images[rows], self.labels[rows]
        if crop is not None:
            images = crop(images)  # at once, while pixels are small integers
        if samples is not None:
            images, labels = samples(images, labels)
        images = self._to_float(images)
        if augment is None:
            return self._normalise(images), labels
        draws = augment.draw(len(rows))
        # Augmentation works on values in [0, 1]; then they are pixel values again, which one
        # multiplication and one addition normalise as ever.
        units = to_unit(images, self.images.dtype)
        images = self._normalise(from_unit(augment.images(images, draws), units))
        return augment.mix(images, labels, draws)

    def inputs(self, rows: Tensor, change: Change | None = None) -> Tensor:
        """Normalised images (B, C, …) of these rows, in the default floating type.

        ``change`` gives other pixel values in place of the store's.
        """
        images = self.images[rows]
        return self._normalise(self._to_float(images if change is None else change(images)))

    def _to_float(self, images: Tensor) -> Tensor:
        """Pixel values (B, C, …) in the default floating type."""
        # Images lie in memory as the model's weights do, so that no convolution copies either.
        return images.to(self._scale.dtype, memory_format=channels_last(images.ndim))

    def _normalise(self, images: Tensor) -> Tensor:
        return images.mul_(self._scale).add_(self._shift)

    def double(self) -> FederatedData:
        """Give inputs in double precision from now on, as tests of identities need them."""
        self._scale, self._shift = self._scale.double(), self._shift.double()
        if self.info.task == "multilabel":
            self.labels = self.labels.double()
        return self


def normalisation(store: Store, split: Split) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation by channel of a split's training images, as the store has them.

    No validation or test image takes part. Where the split keeps the official folds, the store has
    these numbers; else one pass over the training images finds them.
    """
    official = bool((store.folds != "").all())  # which the store's own numbers then go by
    if official and np.array_equal(split.folds == "train", store.folds == "train"):
        return store.info.mean, store.info.std
    return pixel_statistics(store.images, split.pooled("train"))


def channels_last(ndim: int) -> torch.memory_format:
    """The layout in which convolutions are fastest, for (B, C, H, W) or (B, C, D, H, W)."""
    return torch.channels_last if ndim == 4 else torch.channels_last_3d


def batches(
    rows: Tensor, batch_size: int, generator: torch.Generator, epochs: int | None, steps: int | None
) -> Iterator[Tensor]:
    """Give the rows of each local step, from shuffled passes over the data.

    There are either whole ``epochs``, or exactly ``steps`` batches in as many passes as they need.
    """
    done = passes = 0
    while passes < epochs if epochs is not None else done < (steps or 0):
        order = torch.randperm(len(rows), generator=generator).to(rows.device)
        for part in split_batches(rows[order], batch_size):
            if steps is not None and done == steps:
                return
            yield part
            done += 1
        passes += 1


def split_batches(rows: Tensor, batch_size: int) -> list[Tensor]:
    """Cut ``rows`` into consecutive batches.

    A last batch of one sample joins the batch before it: batch norm cannot normalise a single one.
    """
    parts = list(rows.split(batch_size))
    if batch_size > 1 and len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts
