"""Processes in which the clients of a run train side by side; see ``pool``."""

from medfl.federated.workers.own_state import own_classes, own_objects
from medfl.federated.workers.pool import Workers, can_have_workers
from medfl.federated.workers.process import in_worker
from medfl.federated.workers.task import WorkerTask

__all__ = ["WorkerTask", "Workers", "can_have_workers", "in_worker", "own_classes", "own_objects"]
