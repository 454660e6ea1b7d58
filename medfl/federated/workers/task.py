"""What a worker can do: work on one item, to the same bits in whichever process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from torch import Tensor

from medfl.models.flat import FlatModel

TaskItem = TypeVar("TaskItem")
TaskResult = TypeVar("TaskResult")


class WorkerTask(ABC, Generic[TaskItem, TaskResult]):
    """Work on items, each of which depends on no other.

    A worker is a process that was forked from the run's own. What has changed there since then is
    told to it: by ``brief`` what all items need, and by ``entrust`` what a single one does.
    """

    @abstractmethod
    def do(self, item: TaskItem, model: FlatModel) -> TaskResult:
        """Work on an item in a network, which holds what the item before has left there."""

    @abstractmethod
    def words(self, item: TaskItem) -> str:
        """What an item is called in the log."""

    @abstractmethod
    def brief(self) -> Any:
        """What workers must know of the run before they work on any item."""

    @abstractmethod
    def take_up(self, brief: Any) -> None:
        """In a worker: know it."""

    def forget(self) -> None:
        """In a worker: forget it, if it is large; its own or another task's brief follows."""

    def entrust(self, item: TaskItem) -> Any:
        """What a worker must know of this item alone."""
        return None

    def take_over(self, item: TaskItem, entrusted: Any) -> None:
        """In a worker: know it."""

    def hand_back(self, item: TaskItem, result: TaskResult) -> Any:
        """In a worker: what the run must get of an item, its result and what became of the item."""
        return result

    def take_back(self, item: TaskItem, back: Any) -> TaskResult:
        """Take in what a worker handed back, and give the result."""
        found: TaskResult = back
        return found

    def known(self, item: TaskItem) -> Mapping[str, Tensor]:
        """Tensors by name that both processes have, once the worker has taken the item over.

        Where one of them is handed back, the run gets its own object, by which it may know it.
        """
        return {}

    def stays(self, item: TaskItem) -> Mapping[str, Any]:
        """What work on an item leaves as it is, as it is not handed back, by the name in hooks."""
        return {}

    def size(self, back: Any) -> int:
        """Bytes of what a worker handed back, as long as they wait; by default they are few."""
        return 0
