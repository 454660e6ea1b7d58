"""Images that stay on the disk, because a store may be larger than memory."""

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

READ_AHEAD = 2  # how many batches are read while another one is in use


class DiskImages:
    """A store's images, read batch by batch, and indexed as a tensor of all of them would be.

    They are read into buffers and not through a memory map. So the process keeps only a few
    batches, a damaged disk is an error instead of a killed process, and the thread that reads does
    not hold the interpreter's lock. The system may cache the file besides; it gives that memory
    back when programs need it.

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
            transforms: client → what its scanner does to each image, a pure function. Clients
                that are not in it see their images as they are.
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
        self._begin_reading()

    def _begin_reading(self) -> None:
        self._process = os.getpid()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="medfl-images")
        self._coming: dict[int, Future[Tensor]] = {}  # by the id() of their rows

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Images (B, C, …) of these rows on the device, at once if ``ahead`` has read them."""
        coming = self._coming.pop(id(rows), None)
        batch = self._read(rows) if coming is None else coming.result()
        return batch.to(self._device, non_blocking=True)

    def ahead(self, parts: Iterable[Tensor]) -> Iterator[Tensor]:
        """Give the same batches of rows; a thread reads the images of the next ones meanwhile."""
        if self._process != os.getpid():  # a worker has no threads of the process that it was
            self._begin_reading()
        rest, waiting = iter(parts), deque[Tensor]()
        try:
            while True:
                while len(waiting) <= READ_AHEAD and (rows := next(rest, None)) is not None:
                    # `waiting` keeps the rows alive, so that no other tensor gets their id().
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
        """Read the images of these rows into main memory, each as its client sees it."""
        # A GPU fetches a batch from pinned memory while the processor goes on.
        pinned = self._device.type == "cuda"
        batch = torch.empty((len(rows), *self.shape[1:]), dtype=self.dtype, pin_memory=pinned)
        images, numbers = batch.numpy(), rows.cpu().numpy()
        if len(numbers) == 0:
            return batch
        places = np.argsort(numbers, kind="stable")  # the disk is read in one direction
        numbers = numbers[places]
        # Rows that are neighbours both in the file and in the batch are read in one piece.
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
