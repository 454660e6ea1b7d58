"""Whether two configurations are the same run: one hash of all settings that decide the result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from medfl.algorithms.registry import ALGORITHMS
from medfl.chain.registry import LINKS, RULES
from medfl.config import FederatedConfig, FederatedLearning, deciding, kinds_of
from medfl.partition import parse_partition

_EPOCHS = FederatedLearning.default_epochs


def fingerprint(config: FederatedConfig) -> str:
    """SHA-256 of all settings that decide the result; a run is resumed where it is equal.

    Where a run is computed (device, threads, where the images lie) does not count, and neither
    does how a person wrote a number, or a patch of equal sides. Hyper-parameters count as the
    algorithm reads them; one that is left out counts as its default, and so do the epochs of a
    round. A built-in algorithm that is named by its module is itself. A link of strength zero stays
    out of the chain, so it counts as one that is not there.

    Raises:
        MedflError: an algorithm, link or rule is unknown, or one of its parameters is wrong.
    """
    return hashlib.sha256(json.dumps(_decided(config), sort_keys=True).encode()).hexdigest()


def validated(config: FederatedConfig) -> FederatedConfig:
    """The same run with all hyper-parameters filled in, as the algorithm reads them.

    A value such as ``1e-3``, which YAML takes for a word, has become a number in it, and
    ``dirichlet-0.10`` has become ``dirichlet-0.1``.

    Raises:
        MedflError: an algorithm, link or rule is unknown, or one of its parameters is wrong.
    """
    return _read(config, lambda params: params.model_dump(mode="json"))


def differences(old: FederatedConfig, new: FederatedConfig) -> list[str]:
    """The settings in which two runs differ, such as ``training.learning_rate: 0.1, now 0.2``."""
    return _differences(_decided(old), _decided(new))


def _decided(config: FederatedConfig) -> dict[str, Any]:
    # Filled in first: a rule's defaults count where a person has left them all out.
    given = config.chain.links
    active = {name: params for name, params in given.items() if not _is_idle(name, params)}
    chain = config.chain.model_copy(update={"links": active})
    content = deciding(_read(config.model_copy(update={"chain": chain}), _decided_params))
    if "params" in content.get("model", {}):
        content["model"]["params"] = _plain(content["model"]["params"])
    learning, training = content["federated_learning"], content["training"]
    learning["algorithm"] = ALGORITHMS.short(learning["algorithm"])
    if learning["local_steps"] is None and learning["local_epochs"] == _EPOCHS:
        learning["local_epochs"] = None
    sides = training["patch"]
    if isinstance(sides, list) and len(set(sides)) == 1:
        training["patch"] = sides[0]
    found: dict[str, Any] = _unsigned_zero(content)
    return found


def _unsigned_zero(value: Any) -> Any:
    """Values in which -0.0 is 0.0, as which it counts wherever it is computed with."""
    if isinstance(value, dict):
        return {key: _unsigned_zero(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_unsigned_zero(one) for one in value]
    return value + 0.0 if isinstance(value, float) else value


def _is_idle(name: str, params: dict[str, Any]) -> bool:
    LINKS.check_params(name, params, f"chain.links.{name}")
    return bool(LINKS.create(name, params).idle)


def _decided_params(params: BaseModel) -> dict[str, Any]:
    """The parameters that decide; where a whole number or any may stand, 1.0 counts as 1."""
    content = deciding(params)
    for name in content:
        kinds = kinds_of(type(params), name)
        if Any in kinds or {int, float} <= kinds:
            content[name] = _plain(content[name])
    return content


def _read(config: FederatedConfig, dump: Callable[[BaseModel], Any]) -> FederatedConfig:
    """The configuration with its hyper-parameters as they are read, and with its partition's word.

    Args:
        config: a run as a person wrote it.
        dump: gives the plain values of an algorithm's, link's or rule's parameters.
    """
    read = _params(config, dump)
    sections = {name: getattr(config, name).model_copy(update=keys) for name, keys in read.items()}
    return config.model_copy(
        update={**sections, "partition": parse_partition(config.partition).word}
    )


def _plain(value: Any) -> Any:
    """Values whose types nobody states, as of a person's own network: 1.0 counts as 1."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _params(config: FederatedConfig, dump: Callable[[BaseModel], Any]) -> dict[str, dict[str, Any]]:
    """Section → key → parameters, as the algorithm, links and rule read them."""
    learning, chain = config.federated_learning, config.chain
    where = "federated_learning.algorithm_params"
    algorithm = ALGORITHMS.check_params(learning.algorithm, learning.algorithm_params, where)
    links = {
        name: dump(LINKS.check_params(name, params, f"chain.links.{name}"))
        for name, params in chain.links.items()
    }
    rule = RULES.check_params(chain.rule, chain.rule_params, "chain.rule_params")
    return {
        "federated_learning": {"algorithm_params": dump(algorithm)},
        "chain": {"links": links, "rule_params": dump(rule)},
    }


def _differences(old: dict[str, Any], new: dict[str, Any], path: str = "") -> list[str]:
    found = []
    for key in {**new, **old}:
        before, now = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(now, dict):
            found += _differences(before, now, f"{path}{key}.")
        elif before != now:
            shown = [repr(part[key]) if key in part else "left out" for part in (old, new)]
            found.append(f"{path}{key}: {shown[0]}, now {shown[1]}")
    return found
