"""Whether the numbers of a run can be held by its network's parameters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel

from medfl.algorithms.registry import ALGORITHMS
from medfl.config import SINGLE, FederatedConfig, check_strengths, large_numbers, overflowed
from medfl.config.held import TOO_LARGE
from medfl.errors import MedflError
from medfl.models.registry import MODELS

_PARAMS = "federated_learning.algorithm_params"


def check_precision(config: FederatedConfig, params: object, most: float) -> None:
    """Refuse rates and strengths that parameters cannot hold (``MedflError`` names the key).

    Args:
        config: the run.
        params: the hyper-parameters of its algorithm, as it reads them.
        most: the largest number of the parameters' precision.
    """
    check_strengths(config.training, most, "training.")
    if isinstance(params, BaseModel):
        check_strengths(params, most, f"{_PARAMS}.")


def check_planned(config: FederatedConfig) -> None:
    """The same before a network is built, of the built-in ones, which are in single precision.

    In which precision a person's own computes is known once it is built.
    """
    if config.model.name not in MODELS:
        return
    learning = config.federated_learning
    params = ALGORITHMS.check_params(learning.algorithm, learning.algorithm_params, _PARAMS)
    check_precision(config, params, SINGLE)


@contextmanager
def naming_large_numbers(config: FederatedConfig) -> Iterator[None]:
    """Say which settings are large where the arithmetic of a block goes beyond what is held.

    A product of several may be, such as a rate times a decay, or what a person's own class makes
    of one.
    """
    try:
        yield
    except (RuntimeError, OverflowError) as error:
        if not overflowed(error):
            raise
        named = list(large_numbers(config.model_dump(mode="json")))
        more = f" Of the settings, {', '.join(named)}." if named else ""
        raise MedflError(TOO_LARGE + more) from error
