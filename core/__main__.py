"""The command line: `python -m core COMMAND`. How a command ends: its exit code, and one sentence.

Exit codes: 0 done, 1 failed while running, 2 bad input, 130 Ctrl-C.
"""

import io
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and turn whatever ends it into an exit code and at most one sentence.

    Args:
        arguments: What follows the program's name; None takes this process's own.

    Returns:
        0 done, 1 failed while running, 2 bad input, 130 Ctrl-C.
    """
    try:
        _prepare_output()
        from core.cli.app import run  # here, so that Ctrl-C while it is imported is Ctrl-C too

        return run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output has had enough
        return 1
    except ValueError as error:
        return _fail(2, str(error))
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _fail(1, f"{error.strerror}{where}" if error.strerror else str(error))
    except (RuntimeError, MemoryError) as error:
        return _fail(1, str(error) or type(error).__name__)
    except Exception as error:  # a fault of ours: one sentence that finds the place
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return _fail(1, f"a fault in Thaw ({type(error).__name__} at {where}): {error}")


def _prepare_output() -> None:
    """Let no character that the terminal cannot print, and no closed stream, end a command."""
    from core.system.launch import how_launched

    second = how_launched().rank > 0  # of processes that a launcher started, one speaks
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or second:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (for good)
            setattr(sys, name, nowhere)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fail(code: int, message: str) -> int:
    from core.cli.terminal import readable, say
    from core.system.launch import how_launched

    message = readable(message)
    launch = how_launched()
    if launch.rank > 0:  # bad input is told by the main process, which was given the same
        if code == 1 and sys.__stderr__ is not None:
            sys.__stderr__.write(f"process {launch.rank} of {launch.count}: {message}\n")
        return code
    say(f"error: {' '.join(message.split())}")
    return code


if __name__ == "__main__":
    sys.exit(main())
