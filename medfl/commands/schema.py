"""`schema` writes the JSON schemas by which editors complete and check a person's YAML files."""

from __future__ import annotations

import argparse


def schema(options: argparse.Namespace) -> None:
    """Write the JSON schemas."""
    from medfl.json_schema import write_schemas

    for path in write_schemas(options.output_dir):
        print(path)


def schema_options(parser: argparse.ArgumentParser) -> None:
    """Options of `medfl schema`."""
    from medfl.commands import options

    options.output_dir(parser, "the folder to write them to", default="schemas")
