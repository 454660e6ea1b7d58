"""Whether the numbers of a run can be held by its network's parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pydantic import BaseModel

from medfl.algorithms.registry import ALGORITHMS
from medfl.chain.registry import LINKS
from medfl.config import SINGLE, FederatedConfig, check_strengths, large_numbers, overflowed
from medfl.config.held import TOO_LARGE
from medfl.errors import MedflError
from medfl.models.registry import MODELS

_PARAMS, _LINK = "federated_learning.algorithm_params", "chain.links."


def check_precision(
    config: FederatedConfig, params: object, links: Mapping[str, object], most: float
) -> None:
    """Refuse rates and strengths that parameters cannot hold (``MedflError`` names the key).

    Args:
        config: the run.
        params: the hyper-parameters of its algorithm, as it reads them.
        links: link → its parameters, likewise.
        most: the largest number of the parameters' precision.
    """
    check_strengths(config.training, most, "training.")
    of_links = {_LINK + name: read for name, read in links.items()}
    for where, read in {_PARAMS: params, **of_links}.items():
        if isinstance(read, BaseModel):
            check_strengths(read, most, f"{where}.")


def check_planned(config: FederatedConfig) -> None:
    """The same before a network is built, of the built-in ones, which are in single precision.

    In which precision a person's own computes is known once it is built.
    """
    if config.model.name not in MODELS:
        return
    learning = config.federated_learning
    params = ALGORITHMS.check_params(learning.algorithm, learning.algorithm_params, _PARAMS)
    links = {
        name: LINKS.check_params(name, given, _LINK + name)
        for name, given in config.chain.links.items()
    }
    check_precision(config, params, links, SINGLE)


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
