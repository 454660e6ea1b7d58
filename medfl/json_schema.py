"""JSON schemas of the files that a person writes, so that an editor completes and checks them.

They are made from the models with which medfl itself reads these files. The registries fill in
what a model leaves open: algorithms with their hyper-parameters, networks, partitions. `medfl
schema` writes them to ``schemas/``. A file names its schema in its first line
(``# yaml-language-server: $schema=../schemas/grid.json``).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from medfl.algorithms.registry import ALGORITHMS
from medfl.arms.named import DECIDED, OWN_KEYS, SEARCH
from medfl.chain.registry import LINKS, RULES
from medfl.config import OWN, SECTIONS, FederatedConfig, SearchRange
from medfl.datasets.described.schema import Description
from medfl.datasets.registry import DATASETS
from medfl.files import write_json
from medfl.grid import GridConfig
from medfl.models.registry import MODELS
from medfl.partition.base import SiteName, Value
from medfl.partition.registry import PARTITIONS
from medfl.partition.scheme import EACH_SITE
from medfl.registry import Registry
from medfl.report.plots.registry import FIGURES

Schema = dict[str, Any]

DIALECT = "http://json-schema.org/draft-07/schema#"  # what editors' YAML support reads
NUMBER = r"[-+]?[.0-9]+([eE][-+]?[0-9]+)?"
# pydantic leaves its own names for these limits where a value may also be null.
_LIMITS = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}


def write_schemas(folder: str | Path) -> list[Path]:
    """Write ``grid.json``, ``arms.json``, ``run.json``, ``dataset.json``; return their paths."""
    made = {"grid": grid(), "arms": arms(), "run": run(), "dataset": dataset()}
    paths = [Path(folder, f"{name}.json") for name in made]
    for path, schema in zip(paths, made.values(), strict=True):
        write_json(path, schema)
    return paths


def run() -> Schema:
    """A run file (`medfl run --config`)."""
    schema = _of(FederatedConfig)
    schema["properties"]["dataset"] |= _dataset_word()
    schema["properties"]["partition"] |= _partition_word()
    learning = schema["$defs"]["FederatedLearning"]
    learning["properties"]["algorithm"] |= _name(ALGORITHMS)
    del learning["properties"]["algorithm_params"]["additionalProperties"]
    default = learning["properties"]["algorithm"]["default"]
    learning["allOf"] = [
        _where("algorithm", name, {"algorithm_params": _params(ALGORITHMS, name)}, default)
        for name in ALGORITHMS
    ]
    return _file("A run file", schema)


def grid() -> Schema:
    """A params file, such as ``params/default.yaml``."""
    schema = _of(GridConfig)
    definitions = schema["$defs"]
    sections = _sections(definitions)
    for name in ("Sections", "DatasetSettings"):
        definitions[name]["properties"] |= sections
    properties = schema["properties"]
    properties["datasets"]["items"] = _dataset_word()
    of_all, by_dataset = properties["partitions"]["anyOf"]
    for words in (of_all, by_dataset["additionalProperties"]):
        words["items"] = _partition_word(EACH_SITE)
    properties["figures"]["anyOf"][0]["items"] = _name(FIGURES)
    properties["arm_settings"]["additionalProperties"] = _arm(sections)
    return _file("A params file", schema)


def arms() -> Schema:
    """A file of arms, such as ``params/algorithms.yaml``."""
    definitions: Schema = {}
    arm = _arm(_sections(definitions))
    return _file(
        "The arms of grids",
        {"type": "object", "additionalProperties": arm, "minProperties": 1, "$defs": definitions},
    )


def dataset() -> Schema:
    """A description of a person's own data, ``params/datasets/<name>.yaml``."""
    return _file("A description of a dataset", _of(Description))


def _of(kind: type[BaseModel]) -> Schema:
    schema = kind.model_json_schema(by_alias=True)
    _tidy(schema)
    model = schema["$defs"].get("Model", {})
    if "name" in model.get("properties", {}):
        model["properties"]["name"] |= _name(MODELS)
    if "ChainSettings" in schema["$defs"]:
        _fill_chain(schema["$defs"]["ChainSettings"])
    return schema


def _fill_chain(chain: Schema) -> None:
    """Add the links and the rules, each with its parameters."""
    properties = chain["properties"]
    links = {name: {"anyOf": [_params(LINKS, name), {"type": "null"}]} for name in LINKS}
    properties["links"] |= {
        "properties": links,
        "patternProperties": {f"^{OWN}$": {"type": ["object", "null"]}},
        "additionalProperties": False,
    }
    properties["rule"] |= _name(RULES)
    default = properties["rule"]["default"]
    chain["allOf"] = [
        _where("rule", name, {"rule_params": _params(RULES, name)}, default) for name in RULES
    ]


def _tidy(node: Any) -> None:
    """Remove what says nothing to an editor, and give limits the names that schemas have.

    Titles are removed, which repeat the keys, and our own marks (``medfl.config.deciding``).
    """
    if isinstance(node, list):
        for item in node:
            _tidy(item)
    if not isinstance(node, dict):
        return
    if isinstance(node.get("title"), str):
        del node["title"]
    if "type" in node or "anyOf" in node:
        for mark in ("decides", "neutral"):
            node.pop(mark, None)
    for ours, theirs in _LIMITS.items():
        if isinstance(node.get(ours), int | float):
            node[theirs] = node.pop(ours)
    for value in node.values():
        _tidy(value)


def _file(title: str, schema: Schema) -> Schema:
    return {"$schema": DIALECT, "title": f"{title} of medfl", **schema}


def _sections(definitions: Schema) -> Schema:
    """Put each section of a run, without what grids decide, into ``definitions``; refer to it."""
    found = _of(FederatedConfig)["$defs"]
    references = {}
    for key, kind in SECTIONS.items():
        section = copy.deepcopy(found[kind.__name__])
        for decided in DECIDED:
            section["properties"].pop(decided, None)
        definitions[kind.__name__] = section
        references[key] = {"$ref": f"#/$defs/{kind.__name__}"}
    return references


def _arm(sections: Mapping[str, Schema]) -> Schema:
    """An algorithm with its hyper-parameters, and settings of this arm alone."""
    return {
        "type": "object",
        "required": ["algorithm"],
        "properties": {"algorithm": _name(ALGORITHMS), SEARCH: _search(), **sections},
        "allOf": [
            {
                "if": {"properties": {"algorithm": {"const": name}}},
                "then": {
                    "properties": {
                        **dict.fromkeys(OWN_KEYS, True),
                        **dict.fromkeys(sections, True),
                        **_params(ALGORITHMS, name)["properties"],
                    },
                    "additionalProperties": False,
                },
            }
            for name in ALGORITHMS
        ],
    }


def _search() -> Schema:
    """A range, or a list of values, for each setting of a search space."""
    one = SearchRange.model_json_schema()
    _tidy(one)
    values = {"type": "array", "minItems": 2, "uniqueItems": True}
    return {"type": "object", "additionalProperties": {"anyOf": [one, values]}}


def _params(registry: Registry[Any], name: str) -> Schema:
    schema = registry.load(name).Params.model_json_schema()
    _tidy(schema)
    return {"properties": {}, **schema}


def _where(key: str, name: str, then: Schema, default: str) -> Schema:
    """Ask for ``then`` where ``key`` is ``name``, or is left out and ``name`` is the default."""
    condition: Schema = {"properties": {key: {"const": name}}}
    if name != default:
        condition["required"] = [key]
    return {"if": condition, "then": {"properties": then}}


def _name(registry: Registry[Any]) -> Schema:
    return {"anyOf": [{"enum": registry.available()}, {"type": "string", "pattern": f"^{OWN}$"}]}


def _dataset_word() -> Schema:
    """Offer the names of the catalog; a person's own description may have any name."""
    return {
        "type": "string",
        "anyOf": [{"enum": DATASETS.available()}, {"pattern": "^[A-Za-z0-9_.:/-]+$"}],
    }


def _partition_word(*more: str) -> Schema:
    """A partition's word; ``more`` are further ones that may stand there."""
    values = {name: PARTITIONS.load(name).value for name in PARTITIONS}
    examples = [
        name if value is None else f"{name}-{value.example}" for name, value in values.items()
    ]
    with_value = "|".join(name for name, value in values.items() if isinstance(value, Value))
    with_site = "|".join(name for name, value in values.items() if isinstance(value, SiteName))
    return {
        "type": "string",
        "anyOf": [
            {"enum": [*examples, *more]},
            {"pattern": f"^({with_value})-{NUMBER}$"},
            {"pattern": f"^({with_site})-.+$"},
            {"pattern": r"^[A-Za-z_][\w.]*[:.][A-Za-z_]\w*(-.+)?$"},
        ],
    }
