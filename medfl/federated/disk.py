"""Images that stay on the disk: a store may be larger than memory."""

from __future__ import annotations

import os
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from medfl.errors import MedflError
from medfl.store import IMAGES, Store

READ_AHEAD = 2  # batches that are read while one is computed with


class DiskImages:
    """A store's images, read a batch at a time; indexed as the tensor of all of them would be.

    They are read into buffers, not through a memory map: the process keeps only a few batches, a
    damaged disk is an error instead of a killed process, and the thread that reads does not hold
    the interpreter's lock. What the system caches of the file is its own affair: it gives that
    memory away when others need it.

    Attributes:
        shape: (n, C, H, W) or (n, C, D, H, W).
        ndim: 4 or 5.
        dtype: uint8 or int16.
    """

    def __init__(
        self,
        store: Store,
        owners: np.ndarray,
        transforms: Mapping[int, Callable[[np.ndarray], np.ndarray]],
        device: torch.device,
    ) -> None:
        """Open the store's file.

        Args:
            store: the dataset.
            owners: (n,) client of each image.
            transforms: client → its scanner, a pure function of each image; others see the
                images as they are.
            device: where batches go.
        """
        self.shape, self.ndim = store.images.shape, store.images.ndim
        self.dtype: torch.dtype = torch.from_numpy(np.empty(0, store.images.dtype)).dtype
        self.path = store.path / IMAGES
        self._offset = store.images.offset
        self._bytes = store.images[:1].nbytes
        self._owners, self._transforms, self._device = owners, transforms, device
        self._file = os.open(self.path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="medfl-images")
        self._coming: dict[int, Future[Tensor]] = {}  # by the identity of their rows

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Images (B, C, …) of these rows on the device; at once where ``ahead`` has read them."""
        coming = self._coming.pop(id(rows), None)
        batch = self._read(rows) if coming is None else coming.result()
        return batch.to(self._device, non_blocking=True)

    def ahead(self, parts: Iterable[Tensor]) -> Iterator[Tensor]:
        """The same rows, batch by batch; a thread reads the next batches meanwhile."""
        rest, waiting = iter(parts), deque[Tensor]()
        try:
            while True:
                while len(waiting) <= READ_AHEAD and (rows := next(rest, None)) is not None:
                    # `waiting` keeps the rows alive, so that no other tensor has their identity.
                    waiting.append(rows)
                    self._coming[id(rows)] = self._pool.submit(self._read, rows)
                if not waiting:
                    return
                yield waiting[0]
                self._coming.pop(id(waiting.popleft()), None)
        finally:
            for rows in waiting:
                if coming := self._coming.pop(id(rows), None):
                    coming.cancel()

    def _read(self, rows: Tensor) -> Tensor:
        """Images of these rows in their order, as their clients see them, in main memory."""
        # From pinned memory a GPU fetches the batch while the processor goes on.
        pinned = self._device.type == "cuda"
        batch = torch.empty((len(rows), *self.shape[1:]), dtype=self.dtype, pin_memory=pinned)
        images, numbers = batch.numpy(), rows.cpu().numpy()
        if len(numbers) == 0:
            return batch
        places = np.argsort(numbers, kind="stable")  # the disk is read in one direction
        numbers = numbers[places]
        # Neighbours in the file that are neighbours in the batch, too, are read in one piece.
        cuts = np.flatnonzero((np.diff(numbers) != 1) | (np.diff(places) != 1)) + 1
        bounds = [0, *cuts.tolist(), len(numbers)]
        for first, last in pairwise(bounds):
            place = int(places[first])
            self._fill(images[place : place + last - first], int(numbers[first]))
        if self._transforms:
            owners = self._owners[rows.cpu().numpy()]
            for client in np.unique(owners):
                transform = self._transforms.get(int(client))
                if transform is not None:
                    own = owners == client
                    images[own] = transform(images[own])
        return batch

    def _fill(self, images: np.ndarray, row: int) -> None:
        """Read consecutive images from ``row`` on into ``images``."""
        rest = images.data.cast("B")
        position = self._offset + row * self._bytes
        try:
            while rest:
                count = os.preadv(self._file, [rest], position)
                if count == 0:
                    raise MedflError(f"{self.path} is shorter than it was: make the store again.")
                rest, position = rest[count:], position + count
        except OSError as error:
            raise MedflError(f"{self.path} cannot be read: {error.strerror}.") from error
