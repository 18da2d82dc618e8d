"""Show progress on a terminal for work that takes more than a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

_PATIENCE = 1.0


@contextmanager
def progress_bar() -> Iterator[Callable[[str, float], None]]:
    """Yield a function of (what is being done, fraction done); the bar appears after a second.

    Nothing is printed when standard error is not a terminal.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task("", total=1.0)
    begun = monotonic()

    def say(what: str, done: float) -> None:
        if monotonic() - begun > _PATIENCE:
            bar.start()  # once; it does nothing when it is there already
        bar.update(task, description=what, completed=done)

    try:
        yield say
    finally:
        if bar.live.is_started:
            bar.stop()
