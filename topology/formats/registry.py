"""Find file formats by name, or by how a file's name ends, and read and write machines by them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from topology import files
from topology.errors import SupernodeError
from topology.registry import Registry
from topology.supernode import Supernode

C = TypeVar("C", bound=type)

FORMATS: Registry[Any] = Registry("format", "supernode.formats")


def format(name: str, *suffixes: str) -> Callable[[C], C]:  # noqa: A001 - as the other decorators
    """Return a decorator that makes a class known as a file format.

    The class has ``read(path) -> Supernode`` or ``write(supernode, path)``, or both, as static
    methods; ``path`` is a `Path`, and a fault of the file is a `SupernodeError`.

    Parameters
    ----------
    name
        What it is called.
    *suffixes
        How the names of its files end, such as ".json".
    """

    def put(kind: C) -> C:
        kind.suffixes = suffixes  # type: ignore[attr-defined]
        return FORMATS.register(name)(kind)

    return put


def read(path: str | Path, *, format: str | None = None) -> Supernode:  # noqa: A002
    """Read a machine from a file.

    Parameters
    ----------
    path
        The file.
    format
        One of `format_names`; by default the one that the end of the file's name tells.

    Raises
    ------
    SupernodeError
        If the file cannot be read or is not what its name says, or no format fits.
    """
    where = files.path(path)
    with files.opening(where):
        found: Supernode = _way("read", where, format)(where)
    return found


def write(supernode: Supernode, path: str | Path, *, format: str | None = None) -> None:  # noqa: A002
    """Write a machine to a file, which is replaced; parameters and errors as in `read`."""
    where = files.path(path)
    with files.opening(where, "written"):
        _way("write", where, format)(supernode, where)


def format_names() -> list[str]:
    """Return the names of the formats."""
    return sorted(FORMATS)


def suffixes(way: str) -> list[str]:
    """Return how the names of files end that there is a way to "read", or to "write"."""
    every = (FORMATS[name] for name in FORMATS)
    return sorted({end for kind in every if hasattr(kind, way) for end in kind.suffixes})


def _way(way: str, path: str | Path, name: str | None) -> Callable[..., Any]:
    """Return the function that reads, or writes, files of a format or of a name."""
    end = Path(path).suffix.lower()
    every = [FORMATS[known] for known in ([name] if name else FORMATS)]
    for kind in every:
        if hasattr(kind, way) and (name or end in kind.suffixes):
            found: Callable[..., Any] = getattr(kind, way)
            return found
    if name:
        raise SupernodeError(f"{path}: there is no way to {way} the format {name!r}")
    ends = ", ".join(suffixes(way))
    raise SupernodeError(f"{str(path)!r}: the file's name must end in {ends} to {way} a machine")
