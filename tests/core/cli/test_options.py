"""A command is a function of dataclasses: typed options fill them, and are told by them."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.exceptions import TyperException

from core.cli.options import Only, command, flag_of
from core.config import SEED, DataChoice, TrainingChoice
from core.option import Option

Seen = list[tuple[object, ...]]


@dataclass(frozen=True, kw_only=True)
class Own:
    """Options of one command."""

    name: str = Option("--name", "X", "A name.").field()
    parts: tuple[int, ...] | None = Option(
        "--parts", "A,B", "Numbers.", read=lambda typed: tuple(map(int, typed.split(",")))
    ).field(None)
    quiet: bool = Option("--quiet", help="Say less.", after="--data").field(False)
    loud: bool = Option("--no-loud", help="Not loud.").field(True)


def run(function: object, *typed: str) -> None:
    app = typer.Typer(add_completion=False)
    app.command()(command(function))  # type: ignore[arg-type]
    app(list(typed), standalone_mode=False)


def test_what_is_typed_fills_the_dataclasses_and_all_else_keeps_their_defaults() -> None:
    seen: Seen = []

    def verb(own: Own, data: DataChoice) -> None:
        seen.append((own, data))

    run(verb, "--name", "a", "--data", "f", "--parts", "1,2", "--no-loud", "--task", "x")
    run(verb, "--name", "a", "--data", "f", "--task", "x", "--task", "y", "--quiet")
    own, data = seen[0]
    assert own == Own(name="a", parts=(1, 2), loud=False)
    assert data == DataChoice(source="f", tasks=("x",))
    assert seen[1] == (Own(name="a", quiet=True), DataChoice(source="f", tasks=("x", "y")))


def test_one_flag_fills_every_field_that_it_is_for() -> None:
    seen: Seen = []

    def verb(data: DataChoice, training: TrainingChoice) -> None:
        seen.append((data.seed, training.seed, training.epochs))

    run(verb, "--data", "f", "--seed", "7")
    run(verb, "--data", "f")
    assert seen == [(7, 7, 4), (0, 0, 4)]


def test_what_only_follows_is_no_option_by_itself() -> None:
    def verb(data: DataChoice) -> None:
        raise AssertionError(data)

    with pytest.raises(TyperException, match="--seed"):
        run(verb, "--data", "f", "--seed", "7")


def test_a_choice_that_may_lack_is_none_until_its_first_option_is_typed() -> None:
    seen: Seen = []

    def verb(
        data: Annotated[DataChoice | None, Only(("source", "rows"))],
        seed: Annotated[int, SEED] = 3,
    ) -> None:
        seen.append((data, seed))

    run(verb, "--rows", "5")
    assert seen == [(None, 3)]


def test_the_required_come_first_and_an_option_stands_behind_the_one_it_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def verb(own: Own, data: Annotated[DataChoice, Only(("source", "rows"))]) -> None:
        raise AssertionError(own, data)

    run(verb, "--help")
    told = capsys.readouterr().out
    flags = ("--name", "--data", "--quiet", "--parts", "--no-loud", "--rows")
    assert sorted(flags, key=told.index) == list(flags)


def test_options_that_stand_behind_each_other_are_refused() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Circle:
        first: bool = Option("--first", help="One.", after="--second").field(False)
        second: bool = Option("--second", help="Two.", after="--first").field(False)

    def verb(circle: Circle) -> None:
        raise AssertionError(circle)

    with pytest.raises(ValueError, match="stand behind each other"):
        command(verb)


@pytest.mark.parametrize(
    ("setting", "flag"),
    [("label_columns", "--label-column"), ("epochs", "--epochs"), ("overwrite", "--overwrite"),
     ("normalize", "--normalize"), ("dropout", "--no-dropout"), ("budget_seconds", "--budget")],
)  # fmt: skip
def test_a_setting_is_called_as_it_is_typed(setting: str, flag: str) -> None:
    assert flag_of(setting) == flag
