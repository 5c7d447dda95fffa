"""A worker that says what it has imported."""

import sys
from multiprocessing.connection import Connection


def tell_modules(pipe: Connection) -> None:
    """Send the names of all modules of this process."""
    pipe.send(sorted(sys.modules))
