"""Read a curve that someone measured: nccl-tests and rccl-tests, as text and JSON, or CSV."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from collectives.model.collective import collective, collective_names
from topology import border, files, units
from topology.errors import SupernodeError, shown, unknown_name
from topology.fabric import FloatArray
from topology.text import Part, Printed, Table, counted

_PERF = re.compile(r"\b([a-z_]+)_perf\b")
_RANK = re.compile(r"#\s*Rank\s+(\d+)\b")
_HEADER = re.compile(r"#\s*size\s+count\s")
_IN_PLACE = ("out-of-place", "in-place")
_TIMES = {"us": units.us, "usec": units.us, "µs": units.us, "ms": units.ms, "s": units.s}
_RATES = {"GB/s": units.GB, "GBps": units.GB, "MB/s": units.MB, "MBps": units.MB}
_SIZES = {"B": units.B, "bytes": units.B, "KiB": units.KiB, "MiB": units.MiB, "GiB": units.GiB}
_OTHER_NAMES = {"alltoall": "all_to_all", "hypercube": "all_gather", "sendrecv": "send_recv"}


class CurveError(SupernodeError):
    """A curve cannot be read, or does not say what is needed."""


@dataclass(frozen=True, repr=False, eq=False)
class Curve(Printed):
    """What someone measured at several sizes.

    Attributes
    ----------
    source
        The file it is from.
    sizes, seconds
        Bytes and seconds, shape (k,), in the order of the sizes.
    collective
        Its name; empty where the file does not say.
    ranks
        How many took part; 0 where the file does not say.
    """

    source: str
    sizes: FloatArray
    seconds: FloatArray
    collective: str = ""
    ranks: int = 0

    def busbw(self, ranks: int) -> list[tuple[float, float]]:
        """Return points (bytes, bytes/s of busbw) for so many ranks."""
        factor = collective(self.collective).factor(ranks)
        return list(zip(self.sizes.tolist(), (factor * self.sizes / self.seconds).tolist(),
                        strict=True))  # fmt: skip

    @property
    def span(self) -> str:
        """Return its sizes in words: "24 sizes from 1 KiB to 8 GiB"."""
        count = counted(len(np.unique(self.sizes)), "size")
        ends = [units.format_size(float(size)) for size in (self.sizes[0], self.sizes[-1])]
        return (
            f"{count} from {ends[0]} to {ends[1]}" if ends[0] != ends[1] else f"{count}, {ends[0]}"
        )

    def parts(self) -> list[Part]:
        """Return what people read."""
        what = self.collective.replace("_", "-") or "a collective"
        who = f" on {counted(self.ranks, 'rank')}" if self.ranks else ""
        points = zip(self.sizes.tolist(), self.seconds.tolist(), strict=True)
        rows = [(units.format_size(size), units.format_time(time)) for size, time in points]
        return [f"{what}{who} in {self.source}: {self.span}", Table("", ("size", "time"), rows)]


@dataclass(frozen=True)
class _Point:
    """One line: where it stands, and what it says; a bandwidth where there is no time."""

    where: str
    size: float
    seconds: float = 0.0
    algbw: float = 0.0
    busbw: float = 0.0
    collective: str = ""
    ranks: int = 0


def read_curve(
    path: str | Path,
    *,
    collective: str | None = None,
    ranks: int | None = None,
    in_place: bool = False,
) -> Curve:
    """Read what someone measured.

    Taken are the text and the JSON of nccl-tests and rccl-tests, and CSV whose first line names
    its columns with their units: ``size`` or ``bytes``; ``time (us)`` (or ms, s); ``busbw (GB/s)``
    or ``algbw (GB/s)``; and, if wanted, ``collective`` and ``ranks``. Points of size 0 are left
    out.

    Parameters
    ----------
    path
        The file.
    collective, ranks
        Of which to take the points, or what the file does not say. Busbw alone needs both.
    in_place
        Whether in-place columns are taken rather than out-of-place ones.

    Raises
    ------
    CurveError
        If the file is none of these, or holds several collectives and none is chosen; with the
        line that is at fault.
    """
    name = files.path(path).name
    text = files.read_text(path)
    wanted = None if collective is None else _name(collective)
    known = 0 if ranks is None else border.whole(ranks, "ranks", least=1, error=CurveError)
    start = text.lstrip()[:1]
    if start and start in "{[":
        points = list(_json_points(text, name, in_place=in_place))
    elif any(_HEADER.search(line) for line in text.splitlines()):
        points = list(_text_points(text, name, in_place=in_place))
    else:
        points = list(_csv_points(text, name))
    return _curve(name, points, wanted, known)


def _curve(name: str, points: Sequence[_Point], wanted: str | None, ranks: int) -> Curve:
    if wanted is not None and any(one.collective == wanted for one in points):
        points = [one for one in points if one.collective == wanted]
    kind = _only({one.collective for one in points} - {""}, f"{name}: collectives",
                 "choose one by collective=", wanted)  # fmt: skip
    people = _only({str(one.ranks) for one in points if one.ranks}, f"{name}: numbers of ranks",
                   "keep one to a file", str(ranks) if ranks else None)  # fmt: skip
    found = [(one.size, _seconds(one, kind, int(people or 0))) for one in points if one.size > 0]
    if not found:
        raise CurveError(
            f"{name} has no measured point; give the output of nccl-tests or rccl-tests, or CSV "
            'that begins with "size,time (us)"'
        )
    sizes, seconds = np.array(sorted(found), dtype=float).T
    return Curve(name, sizes, seconds, kind, int(people or 0))


def _only(found: set[str], what: str, do: str, given: str | None) -> str:
    """Return the one word that is stated, or given where none is; refuse several."""
    if len(found) > 1:
        raise CurveError(f"{what}: {', '.join(sorted(found))}; {do}")
    if given is not None and found and given not in found:
        raise CurveError(f"{what}: the file says {found.pop()}, not {given}")
    return next(iter(found), given or "")


def _seconds(point: _Point, kind: str, ranks: int) -> float:
    if point.seconds > 0:
        return point.seconds
    rate = point.algbw
    if not rate and point.busbw > 0:
        if not kind or not ranks:
            raise CurveError(
                f"{point.where}: busbw alone says no time; give collective= and ranks= as well"
            )
        rate = point.busbw / collective(kind).factor(ranks)
    if not rate > 0:
        raise CurveError(f"{point.where}: it has neither a time nor a bandwidth above 0")
    return point.size / rate


def _name(given: str) -> str:
    """Return a collective's name as the library has it."""
    plain = given.lower().replace("-", "_")
    known = {name.replace("_", ""): name for name in collective_names()}
    plain = _OTHER_NAMES.get(plain, known.get(plain.replace("_", ""), plain))
    if plain not in collective_names():
        raise unknown_name("collective", given, collective_names())
    return plain


def _number(text: object, where: str, what: str) -> float:
    try:
        value = float(str(text).strip())
    except ValueError:
        value = np.nan
    if not np.isfinite(value) or value < 0:
        raise CurveError(f"{where}: {what} {shown(str(text))} is not a number, zero or more")
    return value


# --- nccl-tests and rccl-tests, text


def _text_points(text: str, name: str, *, in_place: bool) -> Iterator[_Point]:
    kind, columns, scale, ranks = "", [""], units.us, set[int]()
    for number, line in enumerate(text.splitlines(), 1):
        where, told = f"{name}, line {number}", _PERF.search(line)
        if told:
            kind = _name(told[1])
        if (rank := _RANK.search(line)) is not None:
            ranks.add(int(rank[1]))
        if _HEADER.search(line):
            columns = line.replace("#wrong", "wrong").lstrip("# ").split()
        elif columns[0] and line.lstrip().startswith("#") and "(GB/s)" in line:
            unit = re.search(r"\((us|usec|ms|s)\)", line)
            scale = _TIMES[unit[1]] if unit else units.us
        cells = line.split()
        if not line.lstrip()[:1].isdigit() or not cells[0].isdigit():
            continue  # a comment, a warning of the library, or what the launcher says
        if not columns[0]:
            raise CurveError(f"{where}: numbers before the line that names the columns")
        time = _column(cells, columns, "time", where, in_place=in_place)
        size = _number(cells[0], where, "size")
        if time == 0 and size > 0:
            raise CurveError(f"{where}: the time is 0")
        yield _Point(where, size, time * scale, collective=kind, ranks=len(ranks))


def _column(
    cells: Sequence[str], columns: Sequence[str], title: str, where: str, *, in_place: bool
) -> float:
    """Return a cell of the wanted half, counted from the right: middle columns may be empty."""
    at = [place for place, column in enumerate(columns) if column == title]
    if not at or in_place >= len(at):
        raise CurveError(f"{where}: the header has no {_IN_PLACE[in_place]} column {title!r}")
    back = len(columns) - at[in_place]
    if len(cells) < len(columns) - at[0] + 1 or len(cells) > len(columns):
        raise CurveError(f"{where}: {len(cells)} columns where the header names {len(columns)}")
    return _number(cells[len(cells) - back], where, title)


# --- JSON


def _json_points(text: str, name: str, *, in_place: bool) -> Iterator[_Point]:
    try:
        data: Any = json.loads(text)
    except ValueError:  # perhaps an object to a line, as NCCL Inspector and some versions write
        lines = [(at, line) for at, line in enumerate(text.splitlines(), 1) if line.strip()]
        data = [files.read_json(line, f"{name}, line {at}") for at, line in lines]
    kind, ranks = "", 0
    rows = data if isinstance(data, list) else [data]
    if isinstance(data, Mapping) and isinstance(data.get("results"), list):
        told = _PERF.search(json.dumps(data.get("args", "")))
        kind, rows = (_name(told[1]) if told else ""), data["results"]
        ranks = _ranks(data)
    for at, row in enumerate(rows, 1):
        where = f"{name}, result {at}"
        if not isinstance(row, Mapping):
            raise CurveError(f"{where}: {shown(row)} is not an object with a size and a time")
        if "inPlace" in row and bool(row["inPlace"]) != in_place:
            continue
        yield _json_point(row, where, kind, ranks, in_place=in_place)


def _ranks(data: Mapping[str, Any]) -> int:
    """Return how many ranks the devices of a run are, 0 where it does not list them."""
    config = data.get("config")
    listed = data.get("devices", config.get("devices") if isinstance(config, Mapping) else None)
    return len(listed) if isinstance(listed, list) else 0


def _json_point(
    row: Mapping[str, Any], where: str, kind: str, ranks: int, *, in_place: bool
) -> _Point:
    if "coll_perf" in row:  # NCCL Inspector
        row = row["coll_perf"] if isinstance(row["coll_perf"], Mapping) else {}
    own: Any = row.get("in_place" if in_place else "out_of_place", row)
    if not isinstance(own, Mapping):
        raise CurveError(f"{where}: no {_IN_PLACE[in_place]} values")
    size = row.get("size", row.get("coll_msg_size_bytes"))
    if size is None:
        raise CurveError(f"{where}: it has no size; known are the JSON of nccl-tests, rccl-tests")
    time = own.get("time", own.get("coll_exec_time_us"))
    if time is None:
        raise CurveError(f"{where}: it has no time")
    told = row.get("name", row.get("coll"))
    return _Point(
        where, _number(size, where, "size"), _number(time, where, "time") * units.us,
        collective=_name(str(told)) if told else kind,
        ranks=int(_number(row["ranks"], where, "ranks")) if "ranks" in row else ranks,
    )  # fmt: skip


# --- CSV

_COLUMNS = {
    "size": _SIZES, "bytes": _SIZES, "time": _TIMES, "latency": _TIMES, "algbw": _RATES,
    "busbw": _RATES, "collective": {}, "ranks": {},
}  # fmt: skip
_USUAL = {"size": "B", "bytes": "B", "algbw": "GB/s", "busbw": "GB/s"}
_TITLE = re.compile(r"\s*([a-z]+)[\s_]*\(?([A-Za-zµ/]*)\)?\s*", re.IGNORECASE)


def _csv_points(text: str, name: str) -> Iterator[_Point]:
    lines = [(at, line) for at, line in enumerate(text.splitlines(), 1)
             if line.strip() and not line.lstrip().startswith("#")]  # fmt: skip
    if not lines:
        raise CurveError(f"{name} is empty")
    titles = _titles(next(csv.reader([lines[0][1]])), f"{name}, line {lines[0][0]}")
    for at, line in lines[1:]:
        where, cells = f"{name}, line {at}", next(csv.reader([line]))
        if len(cells) != len(titles):
            raise CurveError(f"{where}: {len(cells)} cells where the header has {len(titles)}")
        words: dict[str, str] = {}
        found: dict[str, float] = {}
        for (title, scale), cell in zip(titles, cells, strict=True):
            if title == "collective":
                words[title] = _name(cell.strip())
            elif title and cell.strip():
                found[title] = _number(cell, where, title) * scale
        if "size" not in found:
            raise CurveError(f"{where}: it has no size")
        yield _Point(where, ranks=int(found.pop("ranks", 0)), **found, **words)  # type: ignore[arg-type]


def _titles(cells: Iterable[str], where: str) -> list[tuple[str, float]]:
    """Return what each column is, and its unit; an empty name for those that say nothing."""
    found = []
    for cell in cells:
        parts = _TITLE.fullmatch(cell)
        word = parts[1].lower() if parts else ""
        if parts is None or word not in _COLUMNS:
            found.append(("", 1.0))
            continue
        known, unit = _COLUMNS[word], parts[2] or _USUAL.get(word, "")
        if known and unit not in known:
            raise CurveError(
                f"{where}: the column {shown(cell)} needs a unit, one of {', '.join(known)}; "
                f'write it like "{word} ({next(iter(known))})"'
            )
        title = {"bytes": "size", "time": "seconds", "latency": "seconds"}.get(word, word)
        found.append((title, known.get(unit, 1.0)))
    names = [title for title, _ in found if title]
    twice = [a for a, b in pairwise(sorted(names)) if a == b]
    if twice or "size" not in names or not {"seconds", "algbw", "busbw"} & set(names):
        raise CurveError(
            f"{where}: the header must name a size and one of time, algbw and busbw, once each, "
            'such as "size,time (us)"'
        )
    return found
