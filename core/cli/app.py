"""The command line as a whole: its commands, and how a mistake in typing one is told.

What is heavy is imported where it is first needed, so that `--help` and bad input are answered
before torch is there.
"""

import re
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from core.cli import compare as compare_command
from core.cli import data as data_commands
from core.cli import encoder as encoder_commands
from core.cli import export as export_commands
from core.cli import map as map_commands
from core.cli import model as model_commands
from core.cli import train as train_command
from core.cli.options import command

app = typer.Typer(
    name="core",
    help="Embed, compare and search sentences, predict what they say, and train on your own.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


for each in (
    encoder_commands.info,
    encoder_commands.embed,
    encoder_commands.similarity,
    encoder_commands.search,
    model_commands.predict,
    data_commands.check,
    model_commands.layers,
    model_commands.evaluate,
    train_command.train,
    compare_command.compare,
    export_commands.export,
):
    app.command()(command(each))
app.command(name="map")(command(map_commands.draw_map))


def run(arguments: Sequence[str]) -> int:
    """Run a command.

    Args:
        arguments: What follows the program's name; none at all shows the help.

    Returns:
        0, or 130 where Ctrl-C ended it.

    Raises:
        ValueError: If the arguments make no sense, or what they name is bad input.
        RuntimeError: If it failed while running; also any `OSError`.
    """
    given = list(arguments) or ["--help"]
    try:
        done = app(given, prog_name="python -m core", standalone_mode=False, obj=tuple(given))
        return int(done or 0)
    except TyperException as error:
        raise ValueError(_plainer(error.format_message())) from error


def _plainer(message: str) -> str:
    """Say in our words what typer finds wrong with the arguments."""
    message = message[:1].lower() + message[1:].rstrip(".")
    if message.startswith("no such command"):
        commands = app.registered_commands
        names = [str(each.name or (each.callback and each.callback.__name__)) for each in commands]
        return f"{message}: give {', '.join(names[:-1])} or {names[-1]}"
    if re.match("no such option: -[^-]", message):
        return f"{message}; a sentence that starts with - goes after --"
    return message
