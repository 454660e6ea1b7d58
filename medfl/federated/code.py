"""Which code a run's numbers come from."""

from __future__ import annotations

from medfl.algorithms.registry import ALGORITHMS
from medfl.chain.registry import LINKS, RULES
from medfl.config import FederatedConfig
from medfl.models.registry import MODELS
from medfl.partition.registry import PARTITIONS
from medfl.partition.scheme import split_word
from medfl.versions import Code, code_of

ENGINE = 5
"""The results version of all code that trains and measures and is in no registry."""

ROOTS = ("medfl.federated",)


def run_code(config: FederatedConfig) -> Code:
    """The code of a run: the engine's, and that of all that the configuration names.

    The partition takes part because it may change the images that a client sees. The weighted sum
    does not, because it belongs to the engine.
    """
    partition, _ = split_word(config.partition)
    named = (
        (ALGORITHMS, config.federated_learning.algorithm),
        (MODELS, config.model.name),
        (PARTITIONS, partition),
        *((LINKS, name) for name in sorted(config.chain.links)),
        *((RULES, name) for name in [config.chain.rule] if name != "sum"),
    )
    return code_of(ROOTS, ("engine", ENGINE), named)
