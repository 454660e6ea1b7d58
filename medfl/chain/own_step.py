"""What a person's own link gives where a client trains: batches, their samples, a step's loss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from medfl.errors import MedflError
from medfl.own_class import check_type

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from medfl.chain.roles import Client
    from medfl.models.flat import FlatModel

_BATCHES = "an iterator of batches: vectors (B,) of whole numbers, the store rows of samples"
_SAMPLES = "a pair: images and labels of the shapes that it was given"


@contextmanager
def same_samples(client: Client, where: str) -> Iterator[None]:
    """Refuse a hook that changes which samples a client holds, for all that follows."""
    rows = client.rows
    version = rows._version
    yield
    if client.rows is not rows or rows._version != version:
        raise MedflError(
            f"{where} has changed `client.rows`, the samples that the client holds: give what it "
            "draws in `batches`, and change a copy (`client.rows.clone()`)."
        )


def own_batches(rows: Any, client: Client, planned: int | None, where: str) -> Iterator[Tensor]:
    """The batches that a link gives, of a client's own samples alone, and no more than planned.

    Without a bound a generator that never ends would never be noticed.

    Args:
        rows: what it gives.
        client: whose they are.
        planned: how many batches the client's work comes to; None where nobody knows.
        where: the link, for errors.
    """
    if not isinstance(rows, Iterable):
        check_type(rows, (), where, _BATCHES)
    given = 0
    with same_samples(client, where):
        for batch in rows:
            given += 1
            if planned is not None and given > planned:
                raise MedflError(
                    f"{where} gave more batches than the {planned} of this descent, which is all "
                    "the work that the client has: give one for each of `rows`, or fewer."
                )
            _check_batch(batch, client.rows, where)
            yield batch
    if planned and not given:
        raise MedflError(
            f"{where} gave no batch at all, so the client would send what it has not trained: give "
            "batches, or None in `message` where the client drops out."
        )


def _check_batch(batch: Any, held: Tensor, where: str) -> None:
    import torch

    if not isinstance(batch, torch.Tensor) or batch.ndim != 1:
        check_type(
            batch,
            (),
            f"{where}, as one of its batches,",
            "a vector (B,) of whole numbers, the store rows of samples",
        )
    if batch.is_floating_point() or batch.is_complex() or batch.dtype == torch.bool:
        raise MedflError(f"{where} gave a batch of {batch.dtype}: give whole numbers.")
    if batch.device != held.device or not torch.isin(batch, held).all():
        raise MedflError(
            f"{where} gave store rows that the client does not hold, of which none may train: "
            "draw from those that it is given, or from client.rows."
        )


def check_samples(given: Any, images: torch.Size, labels: Tensor, classes: int, where: str) -> None:
    """Refuse what is no batch of as many images and labels.

    Args:
        given: what a link gives in place of a batch's own.
        images: the shape of those, (B, C, …).
        labels: those, (B,) or (B, K).
        classes: K.
        where: the link, for errors.
    """
    import torch

    if not isinstance(given, tuple | list) or len(given) != 2:
        check_type(given, (), where, _SAMPLES)
    for what, one in zip(("images", "labels"), given, strict=True):
        check_type(
            one, torch.Tensor, f"{where}, as its {what},", "a tensor of the shape that it was given"
        )
    pixels, said = given
    if pixels.shape != images or pixels.is_complex() or pixels.device != labels.device:
        raise MedflError(
            f"{where} gave images of shape {tuple(pixels.shape)} ({pixels.dtype}), but needed are "
            f"pixel values of shape {tuple(images)}, as it was given them."
        )
    soft = said.is_floating_point()
    shapes = [labels.shape] if labels.ndim == 2 or not soft else []
    shapes += [torch.Size((len(labels), classes))] if soft else []
    if said.shape not in shapes or not (soft or said.dtype == labels.dtype):
        raise MedflError(
            f"{where} gave labels of shape {tuple(said.shape)} ({said.dtype}), but needed are "
            f"those of {tuple(labels.shape)} ({labels.dtype}), as it was given them, or shares of "
            f"the classes, ({len(labels)}, {classes}) real numbers."
        )
    highest = 1 if soft else classes - 1
    if len(said) and not bool(((said >= 0) & (said <= highest)).all()):
        raise MedflError(
            f"{where} gave labels from {said.min():g} to {said.max():g}, but needed are "
            f"{'shares from 0 to 1' if soft else f'classes from 0 to {highest}'}."
        )


def check_loss(loss: Any, model: FlatModel, samples: int, where: str) -> None:
    """Refuse what is no loss of a batch, and a loss without a gradient in the model."""
    import torch

    needed = "the batch's mean loss, a tensor of one real number, as `backward` gives it"
    check_type(loss, torch.Tensor, where, needed)
    if loss.ndim != 0 or not loss.is_floating_point():
        raise MedflError(
            f"{where} gave {loss.dtype} of shape {tuple(loss.shape)}, but needed is {needed}."
        )
    if samples and all(one.grad is None for one in model.module.parameters()):
        raise MedflError(
            f"{where} left no gradient in the model, so the step would train nothing: call "
            "`backward(images, labels)`, or write into each parameter's `grad`."
        )
