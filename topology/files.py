"""Read and write files; whatever is wrong with one is said in a line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from topology import border
from topology.errors import SupernodeError, shown

T = TypeVar("T")


def path(value: object, what: str = "file") -> Path:
    """Return a path; raise `SupernodeError` if it is none."""
    if not isinstance(value, str | os.PathLike):
        border.refuse(value, what, "a path", SupernodeError)
    found = os.fspath(value)
    if not isinstance(found, str) or not found or "\0" in found:
        border.refuse(value, what, "the path of a file", SupernodeError)
    return Path(found)


@contextmanager
def opening(file: object, doing: str = "read") -> Iterator[None]:
    """Turn what the system says against a file into a `SupernodeError`."""
    try:
        yield
    except OSError as error:
        raise SupernodeError(f"{file} cannot be {doing}: {error.strerror or error}") from error
    except UnicodeError as error:
        raise SupernodeError(f"{shown(str(file))} is not text in UTF-8") from error


def read_text(file: object) -> str:
    """Return the text of a file; raise `SupernodeError` if it cannot be read."""
    where = path(file)
    with opening(where):
        return where.read_text(encoding="utf-8")


def own_text(name: str) -> str:
    """Return the text of one of the library's own data files."""
    return resources.files("topology").joinpath("data", name).read_text(encoding="utf-8")


def write_text(file: object, text: str) -> Path:
    """Write a file anew and return its path; raise `SupernodeError` if it cannot be written."""
    where = path(file)
    with opening(where, "written"):
        where.write_text(text, encoding="utf-8")
    return where


@contextmanager
def nesting(where: str) -> Iterator[None]:
    """Refuse data that is nested too deeply to be read."""
    try:
        yield
    except RecursionError as error:
        raise SupernodeError(f"{where} is nested too deeply") from error


def parsed(load: Callable[[str], T], text: str, where: str) -> T:
    """Return what a parser of JSON or TOML makes of a text; its own errors pass.

    Python refuses whole numbers of more than 4,300 digits with a bare `ValueError`.
    """
    with nesting(where):
        try:
            return load(text)
        except ValueError as error:
            if type(error) is ValueError:
                raise SupernodeError(f"{where}: {error}") from error
            raise


def read_json(text: str, where: str) -> Any:
    """Return the data of a JSON text."""
    try:
        return parsed(json.loads, text, where)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise SupernodeError(f"{where}, {place}: not JSON: {error.msg}") from error
