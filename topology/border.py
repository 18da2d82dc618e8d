"""Check what comes from outside: the one place where numbers, words, ids and ranks enter.

The command line, spec files, saved machines, graphs, shapes, systems and public calls all ask
here. A check returns the value in its plain type, or raises an error that names the argument,
shows the value and says what it must be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from numbers import Real
from typing import Any, NoReturn, TypeGuard, TypeVar

import numpy as np
import numpy.typing as npt

from topology.errors import GraphError, SupernodeError, UnitError, shown
from topology.units import parse_length, parse_power, parse_rate, parse_size, parse_time

T = TypeVar("T")
Error = type[SupernodeError]

MOST_NODES = 1_000_000
MOST_LINKS = 8_000_000
"""The largest machine built unless told otherwise, in nodes and in directed links.

A machine of 24 GB builds it in about a minute: 131,328 NPUs on three tiers have 7.5 million.
"""
MOST_COUNT = 10**9
"""The largest count of anything; 64 bits hold the product of two."""

MOST = 1e30
"""The largest quantity in SI units; the smallest that is divided by is 1 / MOST."""
_READ = {
    "bytes": parse_size, "bytes/s": parse_rate, "seconds": parse_time, "metres": parse_length,
    "watts": parse_power,
}  # fmt: skip
_COUNTED = ("nodes", "directed links")
_UNREAD = 10**15
_FLAGS = {"yes": True, "true": True, "no": False, "false": False}
_BUDGET: ContextVar[tuple[float, float]] = ContextVar("budget", default=(MOST_NODES, MOST_LINKS))


def refuse(value: object, what: str, must: str, error: Error = GraphError) -> NoReturn:
    """Raise the error for a value that cannot be used."""
    raise error(f"{what} is {shown(value)}; it must be {must}")


def faults_of(check: Callable[..., object], *given: object, **limits: Any) -> list[str]:
    """Return what a check says against a value, for messages that list every fault."""
    try:
        check(*given, **limits)
    except SupernodeError as error:
        return [str(error)]
    return []


def is_number(value: object) -> bool:
    """Tell whether a value is a real number other than NaN that a float holds, or infinity."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return not math.isnan(float(value))
    except OverflowError:
        return False


def number(
    value: Any,
    what: str,
    *,
    least: float = 0.0,
    most: float = math.inf,
    above: float | None = None,
    unit: str = "",
    error: Error = GraphError,
) -> float:
    """Return a finite number within its limits.

    Numbers go up to 1e30 in SI units, and those that are divided by (they are ``above`` 0) begin
    at 1e-30: no machine has others, and products of a few would overflow.

    Parameters
    ----------
    value
        What was given.
    what
        Whose it is, for the message: ``"dgx_h100: oversubscription"``.
    least, most
        The limits, both allowed.
    above
        A lower limit that is not allowed itself, in the place of ``least``.
    unit
        What it counts, with an example if that helps: ``"bytes/s, such as 50 * GB"``.
    error
        The kind of error.
    """
    if is_number(value):
        found = float(value)
        low = found >= least if above is None else found > above
        if low and found <= most and math.isfinite(found):
            if abs(found) > MOST or (above is not None and found < 1 / MOST):
                refuse(value, what, f"from {1 / MOST:g} to {MOST:g} in SI units", error)
            return found
    refuse(value, what, _range(least, most, above, unit), error)


def _range(least: float, most: float, above: float | None, unit: str) -> str:
    """Return the limits of a number in words."""
    of = f" of {unit}" if unit else ""
    if most < math.inf:
        low = f"from {least:g} to" if above is None else f"above {above:g} and at most"
        return f"a number{of} {low} {most:g}"
    if above is not None:
        return f"a positive, finite number{of}"
    low = {0.0: ", zero or more", -math.inf: ""}.get(least, f", {least:g} or more")
    return f"a finite number{of}{low}"


def floats(values: Any, what: str, error: Error = GraphError) -> npt.NDArray[np.float64]:
    """Return an array of numbers of any size, as floats."""
    many = isinstance(values, Iterable) and not isinstance(values, np.ndarray | str | bytes)
    try:
        return np.asarray(members(values, what, error) if many else values, dtype=float)
    except (TypeError, ValueError, OverflowError):
        refuse(values, what, "an array of numbers", error)


def outside(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return where an array holds what is not a finite number, zero or more: rows of indices."""
    return np.argwhere(~((values >= 0) & (values <= MOST)))


def numbers(values: Any, what: str, error: Error = GraphError) -> npt.NDArray[np.float64]:
    """Return an array of finite numbers, zero or more, of any shape."""
    found = floats(values, what, error)
    for at in outside(found)[:1].tolist():
        number(float(found[tuple(at)]), f"{what}{at}" if at else what, error=error)
    return found


def is_whole(value: object) -> TypeGuard[int]:
    """Tell whether a value is a whole number, which True and False are not."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def whole(
    value: Any,
    what: str,
    *,
    least: int = 1,
    most: int | None = None,
    error: Error = GraphError,
) -> int:
    """Return a whole number within its limits; see `number` for the parameters."""
    if is_whole(value):
        found = int(value)
        if least <= found <= (MOST_COUNT if most is None else most):
            return found
        if most is None and found > MOST_COUNT:
            most = MOST_COUNT
    limits = f"{least} or more" if most is None else f"{least} to {most}"
    refuse(value, what, f"a whole number, {limits}", error)


def flag(value: object, what: str, error: Error = GraphError) -> bool:
    """Return a truth value: a bool, or one of the words yes, no, true and false."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in _FLAGS:
        return _FLAGS[value.strip().lower()]
    refuse(value, what, "true or false", error)


def word(value: object, what: str, error: Error = GraphError) -> str:
    """Return a text."""
    return value if isinstance(value, str) else refuse(value, what, "a text", error)


def choice(value: object, what: str, known: Iterable[str], error: Error = GraphError) -> str:
    """Return one of some words."""
    names = list(known)
    if isinstance(value, str) and value in names:
        return value
    refuse(value, what, f"one of {', '.join(names)}", error)


def quantity(
    value: Any, what: str, unit: str, *, above: float | None = None, error: Error = GraphError
) -> float:
    """Return a quantity in an SI unit from a number, or from a text with a unit of its own.

    Parameters
    ----------
    value, what, above, error
        As in `number`.
    unit
        "bytes", "bytes/s", "seconds", "metres" or "watts".
    """
    if isinstance(value, str):
        try:
            value = _READ[unit](value)
        except UnitError as fault:
            raise UnitError(f"{what}: {fault}") from fault
    return number(value, what, above=above, unit=unit, error=error)


def size(value: Any, what: str = "size", error: Error = GraphError) -> float:
    """Return bytes from a number, zero or more, or from a text with a unit such as "64 MiB"."""
    found = quantity(value, what, "bytes", error=error)
    return number(found, what, above=0, unit="bytes", error=error) if found else 0.0


def label(value: object, what: str, error: Error = GraphError) -> int | str:
    """Return the number or name of a rack, a node or the like."""
    if is_whole(value):
        return whole(value, what, least=-MOST_COUNT, error=error)
    if isinstance(value, str):
        return value
    refuse(value, what, "a whole number or a name", error)


def coordinates(value: object, what: str, error: Error = GraphError) -> tuple[int, ...]:
    """Return the whole numbers of a place in a grid."""
    if not isinstance(value, tuple | list):
        refuse(value, what, "a tuple of whole numbers", error)
    return tuple(whole(part, what, least=-MOST_COUNT, error=error) for part in value)


def probability(value: object, what: str, error: Error = GraphError) -> float:
    """Return a number from 0 to 1."""
    return number(value, what, most=1.0, error=error)


def seed(value: object, what: str = "seed", error: Error = GraphError) -> int:
    """Return the seed of a random generator: a whole number from 0 to 2**64 - 1."""
    return whole(value, what, least=0, most=2**64 - 1, error=error)


def ordered(value: object, what: str, error: Error = GraphError) -> list[Any]:
    """Return the members of a sequence; sets, whose order is by chance, and texts are refused."""
    if isinstance(value, set | frozenset | str | bytes):
        refuse(value, what, "in a fixed order: a list or tuple", error)
    return members(value, what, error)


def members(
    value: object, what: str, error: Error = GraphError, *, most: int = MOST_LINKS
) -> list[Any]:
    """Return what an iterable yields, up to so many."""
    if not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
        refuse(value, what, "in a fixed order: a list or tuple", error)
    found = list(islice(value, most + 1))
    if len(found) > most:
        raise error(f"{what} has more than {most:,} members; give fewer")
    return found


def rank_numbers(text: str, count: float = math.inf) -> list[int]:
    """Return the ranks that a text such as ``0-31,64`` names, in its order.

    Parameters
    ----------
    text
        Numbers and ranges, with commas.
    count
        How many ranks there are.
    """
    most = int(min(count, _BUDGET.get()[0], MOST_COUNT))
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        ends = [first, last] if dash else [first, first]
        if not all(_is_digits(end) for end in ends):
            raise SupernodeError(
                f"ranks {shown(text)}: {shown(part)} is not a rank or a range like 0-31"
            )
        low, high = (_digits(end) for end in ends)
        if high < low:
            raise SupernodeError(f"ranks {shown(text)}: the range {shown(part)} runs backwards")
        if high >= most or len(found) + high - low >= most:
            raise SupernodeError(f"ranks {shown(text)}: {shown(part)} is beyond rank {most - 1}")
        found += range(low, high + 1)
    return found


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _digits(text: str) -> int:
    """Return the number, or one beyond all counts: Python refuses more than 4,300 digits."""
    bare = text.lstrip("0")
    return int(bare or 0) if len(bare) < len(str(MOST_COUNT)) + 1 else MOST_COUNT + 1


def plain_value(text: str) -> object:
    """Return what a word of the command line means: a number, true or false, or the word."""
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return _FLAGS.get(text.lower(), text)


def named(text: str, example: str) -> tuple[str, dict[str, object]]:
    """Return a name and the parameters set behind it: ``name:key=value,...``.

    Parameters
    ----------
    text
        What was given.
    example
        How to write it, for the message: "dgx-h100:nodes=16".
    """
    name, _, rest = text.partition(":")
    parameters: dict[str, object] = {}
    for item in filter(None, rest.split(",")):
        key, equals, value = item.partition("=")
        if not equals:
            raise SupernodeError(
                f"{shown(text)}: {shown(item)} is not key=value; write it like {example}"
            )
        parameters[key.strip().replace("-", "_")] = plain_value(value.strip())
    return name, parameters


def counts(text: str, what: str) -> list[int]:
    """Return the whole numbers, 1 or more, of a text such as ``8,64``."""
    words = [part.strip() for part in text.split(",")]
    return [whole(_digits(part) if _is_digits(part) else part, what) for part in words]


# --- how large a machine may be


@contextmanager
def budget(nodes: float = math.inf, links: float = math.inf) -> Iterator[None]:
    """Set how large a machine may be while the block runs; without numbers, without limit.

    Parameters
    ----------
    nodes, links
        Nodes and directed links; `MOST_NODES` and `MOST_LINKS` elsewhere.
    """
    token = _BUDGET.set((nodes, links))
    try:
        yield
    finally:
        _BUDGET.reset(token)


def afford(what: str, nodes: float, links: float = 0) -> None:
    """Raise `GraphError` if a machine of this size is beyond the budget.

    Parameters
    ----------
    what
        Which machine, for the message.
    nodes, links
        How many nodes and directed links it has at least.
    """
    for count, of, most in zip((nodes, links), _COUNTED, _BUDGET.get(), strict=True):
        if count > most:
            many = f"{count:,.0f}" if count < _UNREAD else "too many"
            raise GraphError(
                f"{what} has {many} {of}; up to {most:,} are built, and --large, or "
                "topology.budget() in Python, lifts the limit"
            )


def take(
    items: Iterable[T], *, nodes: float = -math.inf, links: float = -math.inf, each: int = 1
) -> list[T]:
    """Return what an iterable yields; raise `GraphError` once the budget is spent.

    Parameters
    ----------
    items
        Nodes or links to be added.
    nodes, links
        How many there are already, of the sort that the items are.
    each
        How many directed links an item is.
    """
    most_nodes, most_links = _BUDGET.get()
    room = min(most_nodes - nodes, most_links - links)
    if room == math.inf:
        return list(items)
    found = list(islice(items, int(room / each) + 1))
    afford("the machine", nodes + len(found), links + len(found) * each)
    return found
