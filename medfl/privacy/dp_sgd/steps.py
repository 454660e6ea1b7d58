"""What a client computes in a noised descent: Poisson samples, and the noised gradient of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from medfl.chain.link import Backward
from medfl.models.flat import FlatModel
from medfl.privacy.dp_sgd.budget import Budget
from medfl.privacy.dp_sgd.clipping import clipped_sum
from medfl.privacy.dp_sgd.network import check_statistics
from medfl.privacy.dp_sgd.proof import check_alone
from medfl.privacy.dp_sgd.sample_gradients import SampleGradients
from medfl.privacy.dp_sgd.settings import DescentParams
from medfl.privacy.draws import normals, poisson_sample

if TYPE_CHECKING:
    from medfl.chain.roles import Client

MEMORY = 2**29  # bytes of samples' gradients at once, where max_samples_at_once is not given


def poisson_batches(
    rows: Iterator[Tensor],
    held: Tensor,
    units: Tensor,
    rate: float,
    views: int,
    generator: torch.Generator | None,
) -> Iterator[Tensor]:
    """For each of ``rows`` a Poisson sample in its place.

    Args:
        rows: the batches that would be taken; only their number counts.
        held: (n,), the client's rows.
        units: (n,), the unit of each of them, from 0 up.
        rate: the probability with which a unit is drawn.
        views: how often each row is repeated, for as many views of it.
        generator: what is drawn from; None is the system's source.
    """
    for _ in rows:
        inside = poisson_sample(rate, units, generator).to(held.device)
        yield held[inside].repeat_interleave(views)


class NoisedGradients:
    """Computes noised gradients in the models of a run."""

    def __init__(self, name: str, params: DescentParams) -> None:
        self._name, self._params = name, params
        self._samplers: WeakKeyDictionary[FlatModel, SampleGradients] = WeakKeyDictionary()
        self._proved: set[tuple[int, str]] = set()  # clients, and their descents

    def put(
        self,
        client: Client,
        model: FlatModel,
        batch: tuple[Tensor, Tensor],
        units: Tensor,
        budget: Budget,
        backward: Backward,
        generator: torch.Generator | None,
    ) -> Tensor:
        """Put (Σ over units of the clipped gradient + zC · N(0, I)) / expected into ``model``.

        Args:
            client: whose step it is.
            model: where the gradient is taken, and put.
            batch: images (B, C, …) and labels (B, …).
            units: (n,), the unit of each of the client's rows.
            budget: the client's mechanism.
            backward: computes the mean loss of samples, and its gradient.
            generator: for the noise, on the model's device; None is the system's source.

        Returns:
            The mean loss of the samples; 0 where it is not finite. The server must not see from a
            client that drops out what no noise hides.
        """
        images, labels = batch
        sampler = self._sampler(model)
        descent = client.id, client.drawn.purpose
        if client.server.round == 1 and descent not in self._proved:
            one_view = slice(None, None, self._params.views)
            if len(images[one_view]) > 1:
                self._proved.add(descent)
                two = images[one_view][:2], labels[one_view][:2]
                check_alone(sampler, model, *two, backward)
        vector, loss = torch.zeros_like(model.vector), model.vector.new_zeros(())
        pairs = list(zip(model.module.parameters(), model.views(vector), strict=True))
        if len(images):
            before, bound = model.buffers.clone(), self._params.max_grad_norm
            drawn = _numbered(client, units)
            limit = self._limit(model)
            parts, loss = clipped_sum(sampler, images, labels, drawn, bound, limit, backward)
            check_statistics(self._name, before, model.buffers)
            trained = dict(zip(sampler.parameters, parts, strict=True))
            for parameter, view in pairs:
                if parameter in trained:
                    view.copy_(trained[parameter].view(parameter.shape))
        if budget.noise and self._params.max_grad_norm is not None:
            deviation = budget.noise * self._params.max_grad_norm
            vector.add_(normals(model.vector, generator), alpha=deviation)
        vector.div_(budget.expected)
        for parameter, view in pairs:
            parameter.grad = view if parameter.requires_grad else None
        return loss.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)

    def _sampler(self, model: FlatModel) -> SampleGradients:
        """What takes the gradients of those parameters that are trained now."""
        trained = [id(p) for p in model.module.parameters() if p.requires_grad]
        known = self._samplers.get(model)
        if known is None or [id(p) for p in known.parameters] != trained:
            known = self._samplers[model] = SampleGradients(model.module)
        return known

    def _limit(self, model: FlatModel) -> int:
        return self._params.max_samples_at_once or max(1, MEMORY // model.vector.nbytes)


def _numbered(client: Client, units: Tensor) -> Tensor:
    """The unit of each sample of the client's batch, (B,), numbered from 0 up in this batch."""
    places = torch.searchsorted(client.rows.cpu(), client.drawn.rows.cpu())
    numbers: Tensor = torch.unique(units[places], return_inverse=True)[1]
    return numbers
