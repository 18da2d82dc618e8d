"""Read and write stack files: a stack of the library with constants of a user's own, in TOML.

One looks like this; everything but ``stack`` may be left out::

    stack = "nccl"                  # whose constants and choices hold where none are given here
    generation = "hopper"           # by default that of the machine's NPUs
    launch = "process-per-gpu"
    source = "calibrated on nccl.txt, 24 sizes"
    date = "2026-11-24"
    measurements = 24               # it was fitted to so many
    error = 0.031                   # with this geometric mean error

    [[constants]]                   # for every call
    fixed = 1.31                    # times the seconds that do not grow with the size
    fixed_interval = [1.22, 1.41]   # 95 %
    bandwidth = 0.93                # times the bytes/s of large sizes
    fill = 1.8                      # times the bytes that fill the pipeline
    half = "64 KiB"                 # sqrt(half x S) more bytes: slower in the middle

    [[constants]]                   # for some: words as in topology/data/stacks.csv
    algorithm = "Ring"
    protocol = "LL"
    hop = "700 ns"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeGuard

from collectives.model.errors import ScheduleError
from topology import border, files, units
from topology.errors import SupernodeError, shown, unknown_name
from topology.hardware.catalogue import Row

_HEAD = ("stack", "generation", "launch", "source", "date", "measurements", "error", "constants")
_WORDS = ("launch", "collective", "algorithm", "protocol", "network")
_TIMES = ("base", "hop", "network_hop", "network_latency", "floor", "added")
_RATES = ("cap", "channel")
_SIZES = ("half", "chunk")
_FACTORS = ("fixed", "bandwidth", "efficiency", "network_efficiency")
_PLAIN = ("fill", "channels", "stages", "unoverlapped", "scale", "plateau")
CONSTANTS = (*_TIMES, *_RATES, *_SIZES, *_FACTORS, *_PLAIN)
"""The constants that a file may give."""
_READ: Mapping[str, Callable[[object], float]] = MappingProxyType(
    dict.fromkeys(_TIMES, units.parse_time) | dict.fromkeys(_RATES, units.parse_rate)
    | dict.fromkeys(_SIZES, units.parse_size)
)  # fmt: skip


class StackFileError(ScheduleError):
    """A stack file is not one."""


@dataclass(frozen=True)
class Origin:
    """Where a user's own stack is from.

    Attributes
    ----------
    name
        The file.
    source
        What the file says of it.
    measurements, error
        To how many it was fitted, and their geometric mean error; 0 where it was not.
    """

    name: str
    source: str
    measurements: int = 0
    error: float = 0.0


@dataclass(frozen=True)
class StackFile:
    """What a stack file says; the first four as in the file, constants as rows in SI units."""

    stack: str
    generation: str
    launch: str
    origin: Origin
    rows: tuple[Row, ...]


def is_stack_file(given: object) -> TypeGuard[str]:
    """Tell whether a stack is given as a file."""
    return isinstance(given, str) and given.lower().endswith(".toml")


def read_stack_file(path: str, known: Sequence[str]) -> StackFile:
    """Read a stack file, based on one of the known stacks; refuse what is none."""
    name = files.path(path).name
    try:
        data = files.parsed(tomllib.loads, files.read_text(path), name)
    except tomllib.TOMLDecodeError as error:
        raise StackFileError(f"{name} is not TOML: {error}") from error
    _only(data, _HEAD, name)
    if "stack" not in data:
        raise StackFileError(f"{name}: stack is missing; say which it is based on")
    said = {key: border.word(data.get(key, ""), f"{name}: {key}", StackFileError)
            for key in ("stack", "generation", "launch", "source", "date")}  # fmt: skip
    if said["stack"] not in known:
        raise unknown_name(f"{name}: stack", said["stack"], known)
    count = border.whole(data.get("measurements", 0), f"{name}: measurements", least=0,
                         error=StackFileError)  # fmt: skip
    error_ = border.number(data.get("error", 0.0), f"{name}: error", error=StackFileError)
    tables = data.get("constants", [])
    if not isinstance(tables, list):
        raise StackFileError(f"{name}: constants are tables; write [[constants]] above each")
    source = said["source"] or f"as {name} says"
    rows = tuple(_row(table, f"{name}: constants {at}", source, said["date"])
                 for at, table in enumerate(tables, 1))  # fmt: skip
    origin = Origin(name, source, count, error_)
    return StackFile(said["stack"], said["generation"], said["launch"], origin, rows)


def _only(data: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    unknown = [key for key in data if key not in known]
    if unknown:
        raise StackFileError(f"{where}: unknown key {shown(unknown[0])}; known: {', '.join(known)}")


def _row(table: object, where: str, source: str, date: str) -> Row:
    if not isinstance(table, Mapping):
        raise StackFileError(f"{where}: is no table; write [[constants]] above each")
    own = {key: value for key, value in table.items() if not key.endswith("_interval")}
    _only(own, (*_WORDS, *CONSTANTS), where)
    values = {key: _value(key, value, where) for key, value in own.items() if key in CONSTANTS}
    for key, ends in table.items():
        of = key.removesuffix("_interval")
        if of != key:
            _interval(of, ends, values, where)
    words = {key: border.word(value, f"{where}: {key}", StackFileError)
             for key, value in own.items() if key in _WORDS}  # fmt: skip
    words["use"] = "time"  # what the stack itself believes when it chooses stays as it is
    return Row(MappingProxyType(words), MappingProxyType(values), source, date, "measured")


def _value(key: str, given: object, where: str) -> float:
    try:
        if key in _READ:
            return _READ[key](given)
        above = 0.0 if key in (*_FACTORS, "channels") else None
        return border.number(given, key, above=above)
    except SupernodeError as error:
        raise StackFileError(f"{where}: {key}: {error}") from error


def _interval(of: str, ends: object, values: Mapping[str, float], where: str) -> None:
    if of not in values:
        raise StackFileError(f"{where}: {of}_interval without {of}")
    if not isinstance(ends, list) or len(ends) != 2:
        raise StackFileError(f"{where}: {of}_interval is {shown(ends)}; it must be [low, high]")
    low, high = (_value(of, end, where) for end in ends)
    if not low <= values[of] * (1 + 1e-9) or not values[of] <= high * (1 + 1e-9):
        raise StackFileError(f"{where}: {of} is not within {of}_interval {shown(ends)}")


def stack_text(
    head: Mapping[str, str | float], constants: Sequence[Mapping[str, str | tuple[float, ...]]]
) -> str:
    """Return the text of a stack file; constants are (value, low, high) in SI units, or words."""
    lines = [f"{key} = {_toml(value)}" for key, value in head.items()]
    for table in constants:
        lines += ["", "[[constants]]"]
        for key, value in table.items():
            if isinstance(value, str):
                lines.append(f"{key} = {_toml(value)}")
                continue
            said = [_printed(key, one) for one in value]
            lines += [f"{key} = {said[0]}", f"{key}_interval = [{said[1]}, {said[2]}]"]
    return "\n".join(lines) + "\n"


def _toml(value: str | float) -> str:
    if not isinstance(value, str):
        return f"{value:.6g}"
    return '"' + re.sub(r'[\\"]', lambda found: "\\" + found[0], value) + '"'


def _printed(key: str, value: float) -> str:
    """Print a constant with its unit, exactly enough."""
    if key in _TIMES:
        return _toml(f"{value / units.us:.9g} us")
    if key in _RATES:
        return _toml(f"{value / units.GB:.9g} GB/s")
    return _toml(f"{value / units.KiB:.9g} KiB") if key in _SIZES else f"{value:.9g}"
