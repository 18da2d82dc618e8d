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
    if not console.is_terminal:
        yield lambda _what, _done: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task("", total=1.0)
    begun = monotonic()
    shown = False

    def say(what: str, done: float) -> None:
        nonlocal shown
        if not shown and monotonic() - begun > _PATIENCE:
            bar.start()
            shown = True
        bar.update(task, description=what, completed=done)

    try:
        yield say
    finally:
        bar.stop()
