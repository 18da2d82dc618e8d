"""Run cases, and tell what is a fault: anything but an answer or a clear error."""

from __future__ import annotations

import re
import resource
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from types import FrameType

from tests.fuzz import cases
from tests.fuzz.cases import Case
from topology import SupernodeError, budget

SECONDS = 20.0
"""Of a processor: other work on the machine does not count."""
BYTES = 1e9
EVERY = 10_000
NODES, LINKS = 400, 4000
"""Machines are kept small, that a case may take milliseconds; larger ones are refused."""

_MAKERS = {
    "command": 3, "function": 5, "graph": 3, "saved": 3, "spec": 3, "shape": 3, "system": 1,
    "plot": 0.05,
}  # fmt: skip


class Hang(BaseException):
    """A case takes too long; nothing in the library catches this."""


@dataclass(frozen=True)
class Fault:
    """What went wrong with a case, and where."""

    number: int
    case: Case
    said: str
    where: str

    @property
    def key(self) -> str:
        """What faults of the same origin have in common."""
        return f"{self.said.split(':')[0]} at {self.where.splitlines()[-1] if self.where else ''}"


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    def late(_signal: int, _frame: FrameType | None) -> None:
        raise Hang

    old = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, old)


def case_of(seed: int, number: int, folder: Path) -> Case:
    """Return the case of a number; the same number makes the same case."""
    rng = Random(f"{seed}/{number}")  # noqa: S311
    if rng.random() < 0.01:
        return cases.file(rng, folder)
    (name,) = rng.choices(list(_MAKERS), list(_MAKERS.values()))
    made: Case = getattr(cases, name)(rng)
    return made


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def fault_of(case: Case, number: int = 0, seconds: float = SECONDS) -> Fault | None:
    """Run a case; return its fault, if it has one."""
    before, start = _memory(), time.process_time()
    try:
        with warnings.catch_warnings(), budget(NODES, LINKS), _limited(seconds):
            warnings.simplefilter("error")
            case.run()
    except SupernodeError:
        pass
    except TypeError as error:
        if not any(re.search(rf"\b{re.escape(name)}\b", str(error)) for name in case.names()) and (
            "required" not in str(error) and "unexpected keyword" not in str(error)
        ):
            return _fault(number, case, error)
    except Hang as error:
        return _fault(number, case, error)
    except Exception as error:
        return _fault(number, case, error)
    spent, grown = time.process_time() - start, _memory() - before
    if spent > seconds:
        return Fault(number, case, f"took {spent:.0f} s", "")
    if grown > BYTES:
        return Fault(number, case, f"took {grown / 1e9:.1f} GB more", "")
    return None


def _fault(number: int, case: Case, error: BaseException) -> Fault:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "/tests/" not in f.filename and "site-packages" not in f.filename]
    where = "\n".join(f"    {Path(f.filename).name}:{f.lineno} {f.line}" for f in own[-4:])
    return Fault(number, case, f"{type(error).__name__}: {error!s:.200}", where)


def smallest(fault: Fault) -> Fault:
    """Return the fault with the parts of its case left out that it does not need."""
    at, fault_now = 0, fault
    start = time.monotonic()
    while at < len(fault_now.case.parts) and time.monotonic() - start < SECONDS:
        parts = fault_now.case.parts
        tried = fault_of(replace(fault_now.case, parts=parts[:at] + parts[at + 1 :]), fault.number)
        if tried is not None and tried.key == fault_now.key:
            fault_now = tried
        else:
            at += 1
    return fault_now


def told(fault: Fault, seed: int) -> str:
    """Return a fault in words, with what reproduces it."""
    parts = "\n".join(f"    {_short(part)}" for part in fault.case.parts)
    return (
        f"FAULT {fault.said}\n{fault.where}\n  {fault.case.name} of\n{parts}\n"
        f"  python -m tests.fuzz --seed {seed} --first {fault.number} --count 1\n"
    )


def _short(part: object) -> str:
    try:
        text = repr(part)
    except (ValueError, RecursionError):
        text = f"a {type(part).__name__} without a repr"
    return text if len(text) < 300 else f"{text[:300]}..."


def run(
    count: int, seed: int, first: int = 0, tell: Callable[[int], object] | None = None
) -> Iterator[Fault]:
    """Yield the faults of so many cases, each origin once, made as small as they get.

    ``tell`` is called with the number of every `EVERY`-th case.
    """
    seen: set[str] = set()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for number in range(first, first + count):
            if tell is not None and number % EVERY == 0:
                tell(number)
            fault = fault_of(case_of(seed, number, Path(folder)), number)
            if fault is not None and fault.key not in seen:
                seen.add(fault.key)
                yield smallest(fault)
