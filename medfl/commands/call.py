"""The options of the `medfl` command, and what each subcommand calls."""

from __future__ import annotations

import argparse
import logging
import re
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from medfl import __version__
from medfl.commands import attack, audit, data, plan, results, run, schema, status, tune
from medfl.commands import verify as verifying
from medfl.commands.examples import examples
from medfl.errors import MedflError, memory_ended, on_one_line, own_failure
from medfl.stopping import Stopped, stoppable

_made: list[argparse.ArgumentParser] = []  # by a process from which jobs are forked

NO_MEMORY = (
    "memory is exhausted, and nothing is half done: end other programs, or take a smaller "
    "`training.batch_size`, fewer `training.workers` or a smaller network, and call the same "
    "command again, which goes on from what is there."
)


def call(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. An error of the user's is printed on one line."""
    options = (_made.pop() if _made else parser()).parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    try:
        with stoppable():
            status = int(options.command(options) or 0)
        _tell_undrawn()
        return status
    except MedflError as error:
        print(f"medfl: error: {on_one_line(error)}", file=sys.stderr)
        return 2
    except OSError as error:  # a file turns out to be a folder, is forbidden, or has vanished
        where = f"{error.filename}: " if error.filename else ""
        unread = MedflError(f"{where}{error.strerror or error}.")
        print(f"medfl: error: {on_one_line(unread)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        usual = "nothing is left half done: call the same command again"
        notes = "; ".join(getattr(stop, "__notes__", [usual]))
        print(f"medfl: interrupted; {notes}.", file=sys.stderr)
        return 128 + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)
    except BaseException as error:
        said = _explained(error)
        if said is None:
            raise
        print(f"medfl: error: {said}", file=sys.stderr)
        return 2


def _explained(error: BaseException) -> str | None:
    """What to say of an exception that nobody has foreseen; None where it is a mistake in medfl."""
    if memory_ended(error):
        return NO_MEMORY
    from medfl.config.held import TOO_LARGE, overflowed  # `medfl --help` needs no configuration

    if overflowed(error):
        return TOO_LARGE
    return own_failure(error)


def _tell_undrawn() -> None:
    """Say which letters the pictures lack, if any were drawn."""
    fonts = sys.modules.get("medfl.pages.fonts")
    if fonts is not None and (words := fonts.undrawn()):
        print(f"medfl: warning: {words}", file=sys.stderr)


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Says the default of an option, where it has one that says something; keeps lines apart."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, "", []):
            return action.help
        return super()._get_help_string(action)


Fill = Callable[[argparse.ArgumentParser], None]


class _Parser(argparse.ArgumentParser):
    """Offers the nearest name where an option or a choice is not known."""

    def error(self, message: str) -> NoReturn:
        """End with status 2, and with the name that may have been meant."""
        found = re.search(r"invalid choice: '(.*)' \(choose from (.*)\)$", message)
        if found:
            message += _hint(found[1], re.findall(r"'([^']*)'", found[2]))
        more = f"(`{self.prog} --help` lists what there is)"
        self.exit(2, f"{self.prog}: error: {on_one_line(message)} {more}\n")


class _Command(_Parser):
    """The parser of a command, which gets its options only when that command is called.

    Their defaults and help come from the configuration. So `medfl --help` need not import it.
    """

    fill: Fill | None = None

    def fill_in(self) -> None:
        """Let it have its options, once."""
        if self.fill is not None:
            fill, self.fill = self.fill, None
            fill(self)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self.fill_in()
        found, extra = super().parse_known_args(args, namespace)
        options = [word.split("=")[0] for word in extra if word.startswith("--")]
        if options:  # else the whole parser would say so, without knowing what there is
            hint = _hint(options[0], self._option_string_actions)
            self.error(f"unknown option {options[0]}{hint}")
        return found, extra


class _Whole(_Parser):
    """The parser of the command line, with that of each command by its name."""

    def __init__(self, **words: Any) -> None:
        super().__init__(**words)
        self.commands: dict[str, _Command] = {}


def _hint(word: str, known: Iterable[str]) -> str:
    """What may have been meant; nothing where no name is near."""
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def parse_ahead(*names: str) -> None:
    """Make the parser of this process's next command, which is one of these."""
    whole = parser()
    for name in names:
        whole.commands[name].fill_in()
    _made[:] = [whole]


def parser() -> _Whole:
    """The command line; each command fills in its own options when it is called."""
    whole = _Whole(
        prog="medfl",
        description="Benchmark federated learning on heterogeneous medical images.",
        epilog="The way of the data: prepare → split → run → aggregate → report. "
        "`medfl benchmark` does all of it.",
    )
    whole.add_argument("--version", action="version", version=f"medfl {__version__}")
    commands = whole.add_subparsers(
        title="commands", required=True, metavar="COMMAND", parser_class=_Command
    )

    def command(
        name: str, function: Callable[[argparse.Namespace], int | None], fill: Fill, summary: str
    ) -> None:
        sub = whole.commands[name] = commands.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=examples(name),
            formatter_class=_Help,
        )
        sub.fill = fill
        sub.set_defaults(command=function)

    command(
        "datasets",
        data.datasets,
        data.datasets_options,
        "List the datasets, and what of them is on this disk.",
    )
    command(
        "prepare",
        data.prepare,
        data.prepare_options,
        "Read a dataset's raw files into a memory-mapped store.",
    )
    command(
        "inspect",
        data.inspect,
        data.inspect_options,
        "Measure a dataset and write its card: an HTML page.",
    )
    command(
        "original",
        data.original,
        data.original_options,
        "Show, in a terminal, which file a hidden name means.",
    )
    command(
        "split",
        data.split,
        data.split_options,
        "Deal a store's samples to clients and folds.",
    )
    command("run", run.run, run.run_options, "Train one federation and write its run folder.")
    command(
        "choose",
        tune.choose,
        tune.choose_options,
        "Choose a run's values among the points of its search.",
    )
    command(
        "tuning",
        tune.tuning,
        tune.tuning_options,
        "Gather a grid's searches into a table and curves.",
    )
    command(
        "status",
        status.status,
        status.status_options,
        "Say how far a grid is, and how long the rest takes.",
    )
    command(
        "aggregate",
        results.aggregate,
        results.aggregate_options,
        "Gather a grid's runs into tables.",
    )
    command(
        "report",
        results.report,
        results.report_options,
        "Draw a grid's figures and write report.html.",
    )
    command(
        "publish",
        results.publish,
        results.publish_options,
        "Write a folder with a whole grid's results that others can cite.",
    )
    command(
        "plan",
        plan.plan,
        plan.plan_options,
        "Say how many seeds and patients a comparison needs, from a pilot's runs.",
    )
    command(
        "attack",
        attack.attack,
        attack.attack_options,
        "Attack the privacy of updates and models, and draw what is found.",
    )
    command(
        "audit",
        audit.audit,
        audit.audit_options,
        "Hold the ε that a link claims against what canaries show of it.",
    )
    command(
        "verify",
        verifying.verify,
        verifying.verify_options,
        "Read stores, splits and runs wholly, and say whether they are what was written.",
    )
    command(
        "schema",
        schema.schema,
        schema.schema_options,
        "Write the JSON schemas by which editors complete and check YAML files.",
    )
    command(
        "benchmark",
        run.benchmark,
        run.benchmark_options,
        "Build a grid from words and run all of it.",
    )
    return whole
