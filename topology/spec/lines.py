"""Find on which line of a TOML text each field stands; tomllib does not say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

Path = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(\[\[?)([^\]]+)\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_TEXT = re.compile(r'"""|\'\'\'|"(?:[^"\\]|\\.)*"|\'[^\']*\'|#.*|[\[\]{}]')


def field_lines(text: str) -> Mapping[Path, int]:
    """Return the line, from 1, on which each table and field of a TOML text begins.

    Parameters
    ----------
    text
        TOML that tomllib has accepted.

    Returns
    -------
    Mapping
        By path: ``("connect", 0, "link")`` for the ``link`` of the first ``[[connect]]``. What
        stands inside a value, such as a field of an inline table, is not listed.
    """
    found: dict[Path, int] = {}
    seen: Counter[tuple[str, ...]] = Counter()
    table: Path = ()
    depth, quote = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if not depth and not quote:
            header = _HEADER.match(line)
            if header and "=" not in header[2]:
                table = _table(_parts(header[2]), header[1] == "[[", seen)
                found.setdefault(table, number)
                continue
            key = _KEY.match(line)
            if key:
                path = table + _parts(key[1])
                for end in range(len(table) + 1, len(path) + 1):
                    found.setdefault(path[:end], number)
        depth, quote = _nesting(line, depth, quote)
    return found


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """Return the line of a field, or of the nearest table around it."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _parts(text: str) -> tuple[str, ...]:
    found = re.findall(r"""[\w-]+|"[^"]*"|'[^']*'""", text)
    return tuple(part.strip("\"'") for part in found)


def _table(parts: tuple[str, ...], many: bool, seen: Counter[tuple[str, ...]]) -> Path:  # noqa: FBT001
    """Return the path of a table, with the index of each table of an array on the way."""
    if many:
        seen[parts] += 1
    path: Path = ()
    for end in range(1, len(parts) + 1):
        path += (parts[end - 1],)
        if seen[parts[:end]]:
            path += (seen[parts[:end]] - 1,)
    return path


def _nesting(line: str, depth: int, quote: str) -> tuple[int, str]:
    """Return how deep in brackets, and in which long quotes, the next line begins."""
    at = 0
    while at < len(line):
        if quote:
            end = line.find(quote, at)
            if end < 0:
                return depth, quote
            at, quote = end + 3, ""
            continue
        token = _TEXT.search(line, at)
        if token is None:
            break
        at = token.end()
        if token[0] in ('"""', "'''"):
            quote = token[0]
        elif token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
    return max(depth, 0), quote
