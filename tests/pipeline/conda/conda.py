"""A STAND-IN for `conda`: the calls that Snakemake makes, over py-rattler. It is not conda.

It solves and installs real conda packages (py-rattler is a conda solver and installer), so that
Snakemake's `--use-conda` path, the environment file and the post-deploy script are exercised where
no conda can be had. The test that uses it puts a copy at <root>/bin/conda. Every channel name means
the folder in STAND_IN_CHANNEL.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


async def create(file: str, prefix: str) -> None:
    import rattler
    import yaml

    wanted = yaml.safe_load(Path(file).read_text(encoding="utf-8"))["dependencies"]
    records = await rattler.solve(
        [rattler.Channel(Path(os.environ["STAND_IN_CHANNEL"]).as_uri())],
        [rattler.MatchSpec(spec) for spec in wanted],
        platforms=[str(rattler.Platform.current()), "noarch"],
        virtual_packages=rattler.VirtualPackage.detect(),
    )
    Path(prefix, "conda-meta").mkdir(parents=True, exist_ok=True)
    await rattler.install(records, prefix, show_progress=False)


def main(words: list[str]) -> None:
    def option(name: str) -> str:
        return words[words.index(name) + 1]

    if words == ["--version"]:
        print("conda 26.9.0")
    elif words[:2] == ["info", "--json"]:
        import platform

        machine = {"x86_64": "64"}.get(platform.machine(), platform.machine())
        about = {"conda_prefix": str(ROOT), "platform": f"linux-{machine}"}
        print(json.dumps(about | {"conda_version": "26.9.0"}))
    elif words[:1] == ["config"]:
        print(json.dumps({"get": {"channel_priority": "strict"}}))
    elif words[:2] == ["env", "create"]:
        asyncio.run(create(option("--file"), option("--prefix")))
    elif words[:2] == ["env", "export"]:
        print(f"prefix: {option('--prefix')}")
    elif words[:1] != ["clean"]:
        sys.exit(f"stand-in for conda: unknown call {words}")


main(sys.argv[1:])
