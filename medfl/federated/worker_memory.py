"""How much memory a further worker takes: ``workers: auto`` asks before it takes all cores."""

from __future__ import annotations

import torch
from torch import Tensor

from medfl.federated.data import channels_last
from medfl.federated.memory import SHARE
from medfl.federated.server import FederatedServer
from medfl.files.memory import free_memory

_BESIDE = 1.5  # activations that are kept, and those that come and go
_VECTORS = 4  # a network, its gradients, the optimiser's momentum, and a message
_SAMPLE_GRADIENTS = 2**29  # what a link that sees each sample's gradient has of them at once


def step_bytes(server: FederatedServer) -> float:
    """About how many bytes a training step keeps for its backward pass.

    They are counted in a forward pass of two black images, and scaled to a batch.
    """
    model, data = server.model, server.data
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() != model.vector.untyped_storage().data_ptr():
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    sides = server.patch or data.images.shape[2:]
    images = model.vector.new_zeros(2, data.images.shape[1], *sides)
    images = images.contiguous(memory_format=channels_last(images.ndim))
    model.module.eval()  # batch norm would count these images in training
    with torch.random.fork_rng(devices=[]):  # dropout draws nothing that a run would draw
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            logits = model.module(images)
        del logits
    return server.config.training.batch_size / len(images) * sum(kept.values())


def worker_bytes(server: FederatedServer) -> int:
    """About how many bytes one more worker needs: a network, and what a training step keeps."""
    by_sample = any(link.stage == "gradient" for link in server.chain.links)
    found = _BESIDE * step_bytes(server) + _VECTORS * server.model.vector.nbytes
    return int(found) + by_sample * _SAMPLE_GRADIENTS


def workers_in_memory(server: FederatedServer) -> int:
    """How many workers fit into the memory that is free, of which they leave a half."""
    return 1 + int(SHARE * free_memory() / worker_bytes(server))
