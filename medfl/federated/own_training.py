"""What a person's own algorithm gives where a client trains: losses, corrections and work."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from numbers import Real
from typing import TYPE_CHECKING, Any

from torch import Tensor

from medfl.algorithms import FederatedAlgorithm
from medfl.algorithms.objective import hook_word
from medfl.chain.message import Work
from medfl.chain.own_message import is_count, version_of
from medfl.errors import MedflError
from medfl.own_class import check_type, is_builtin

if TYPE_CHECKING:
    from medfl.chain.roles import Client, Correction, Loss
    from medfl.models.flat import FlatModel, Gradient

_LOSS = "the batch's loss, a tensor of one real number that has a gradient"


def own_loss(algorithm: FederatedAlgorithm, loss: Loss) -> Loss:
    """The loss that a person's own algorithm trains by, of which each value is looked at."""
    if is_builtin(type(algorithm)):
        return loss
    where = hook_word("loss", type(algorithm))

    def of_batch(model: FlatModel, images: Tensor, labels: Tensor, client: Client) -> Any:
        found = loss(model, images, labels, client)
        check_type(found, Tensor, where, _LOSS)
        if found.ndim or not found.is_floating_point() or not found.requires_grad:
            without = "" if found.requires_grad else " without a gradient"
            raise MedflError(
                f"{where} gave {found.dtype} of shape {tuple(found.shape)}{without}: it must give "
                f"{_LOSS}."
            )
        return found

    return of_batch


def own_correction(algorithm: FederatedAlgorithm, correct: Correction | None) -> Correction | None:
    """What a person's own algorithm adds to a gradient; what it gives back would be lost."""
    if correct is None or is_builtin(type(algorithm)):
        return correct
    where = hook_word("correct_gradient", type(algorithm))

    def corrected(gradient: Gradient, model: FlatModel, client: Client) -> None:
        given: Any = correct(gradient, model, client)
        if given is not None and given is not gradient:
            check_type(given, (), where, "nothing: change the gradient in place (`add_`, `mul_`)")

    return corrected


def check_trained(algorithm: FederatedAlgorithm, batches: Collection[int]) -> None:
    """Refuse a round in which a person's own algorithm has trained nobody.

    ``batches`` has of each client that answers on how many it took a step, a gradient or a loss.
    """
    if batches and not any(batches) and not is_builtin(type(algorithm)):
        where = hook_word("train", type(algorithm))
        raise MedflError(
            f"{where} gave no step and no gradient of any client, so all would send what they were "
            "sent: it must give what client.descend does, or count in the `steps` or `gradients` "
            "of its Work what it has trained otherwise."
        )


def check_work(work: Any, where: str) -> None:
    """Refuse what is no account of a client's training."""
    check_type(work, Work, where, "a Work, as client.descend gives it")
    if not isinstance(work.loss, Real):
        check_type(work.loss, (), f"{where}, as its `loss`,", "a number, the mean loss")
    for name in ("steps", "gradients", "forwards"):
        if not is_count(count := getattr(work, name)):
            raise MedflError(
                f"{where} gave `{name}` of {count!r}: it must give a whole number, 0 or more."
            )
    check_type(work.extras, dict, f"{where}, as its `extras`,", "a dictionary of tensors")


@contextmanager
def kept_download(client: Client, where: str) -> Iterator[None]:
    """Refuse a hook that writes into what the server has sent, which all clients start from."""
    vectors = {f"received[{name!r}]": one for name, one in client.received.items()}
    before = {name: version_of(one) for name, one in vectors.items()}
    yield
    for name, one in vectors.items():
        if version_of(one) != before[name]:
            raise MedflError(
                f"{where} has changed `client.{name}` in place, from which other clients start, "
                "too: change a copy (`.clone()`)."
            )
