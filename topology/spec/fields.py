"""Read the fields of a spec file's tables, and collect every fault with its line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from topology import border
from topology.errors import SupernodeError, shown
from topology.spec.lines import Path, line_of

T = TypeVar("T")


class SpecError(SupernodeError):
    """A spec file that is not one; every fault is listed, with file, line and field."""


class Faults:
    """The faults of a spec file, raised together."""

    def __init__(self, file: str, lines: Mapping[Path, int]) -> None:
        self.file = file
        self.lines = lines
        self.found: list[tuple[int, str]] = []

    def add(self, path: Path, said: str) -> None:
        """Note a fault of one field."""
        line = line_of(self.lines, path)
        self.found.append((line, f"{self.file}, line {line}: {field_name(path)}{said}"))

    def stop(self) -> None:
        """Raise `SpecError` if there are faults, in the order of the lines."""
        if self.found:
            raise SpecError("\n".join(said for _, said in sorted(self.found, key=lambda f: f[0])))


def attempt(path: Path, faults: Faults, make: Callable[[], T]) -> T | None:
    """Return what a call makes; note its error at a field and return None."""
    try:
        return make()
    except SupernodeError as error:
        faults.add(path, f": {error}")
        return None


def field_name(path: Path) -> str:
    """Return a field as people write it: ``connect[0].link``."""
    name = ""
    for part in path:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name


def nearest(given: object, allowed: Iterable[str]) -> str:
    """Say what would have been right, the near ones first."""
    known = list(allowed)
    near = get_close_matches(shown(given).strip("'"), known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}allowed: {', '.join(known)}"


class Table:
    """A table of the file: gives out its fields, and notes what is wrong with them."""

    def __init__(self, data: object, path: Path, faults: Faults, allowed: Iterable[str]) -> None:
        self.path = path
        self.faults = faults
        self.data: Mapping[str, Any] = data if isinstance(data, dict) else {}
        if not isinstance(data, dict):
            faults.add(path, f" is {shown(data)}; it must be a table")
        known = list(allowed)
        for key in self.data:
            if key not in known:
                faults.add((*path, key), f" is not a field here; {nearest(key, known)}")

    def __contains__(self, name: str) -> bool:
        return name in self.data

    def fault(self, name: str, said: str) -> None:
        """Note a fault of a field."""
        self.faults.add((*self.path, name), said)

    def need(self, name: str, example: str) -> Any:
        """Return a field that must be there; None, and a fault, if it is not."""
        if name not in self.data:
            self.fault(name, f" is missing; write it like {example}")
        return self.data.get(name)

    def get(
        self, name: str, check: Callable[..., T], default: T | None = None, **limits: Any
    ) -> T | None:
        """Return a field as a check of the border gives it; note what it says against it."""
        if name not in self.data:
            return default
        try:
            return check(self.data[name], "", **limits)
        except SupernodeError as error:
            self.fault(name, str(error))
            return default

    def choice(self, name: str, allowed: Iterable[str], default: str | None = None) -> str | None:
        """Return one of some words."""
        value = self.data.get(name, default)
        known = list(allowed)
        if value is not default and value not in known:
            self.fault(name, f" is {shown(value)}; {nearest(value, known)}")
            return default
        return None if value is None else str(value)

    def quantity(self, name: str, parse: Callable[[object], float], default: T) -> float | T:
        """Return a quantity with its unit, such as "2 m"; a bare number is a fault."""
        if name not in self.data:
            return default
        try:
            return parse(self.data[name])
        except SupernodeError as error:
            self.fault(name, f": {error}")
            return default

    def words(self, name: str) -> list[str]:
        """Return one text or a list of texts."""
        value = self.data.get(name, [])
        items = value if isinstance(value, list) else [value]
        if not all(isinstance(item, str) for item in items):
            self.fault(name, f" is {shown(value)}; it must be texts in quotes")
            return []
        return items

    def counts(self, name: str) -> dict[str, int]:
        """Return an inline table of whole numbers, such as { node = 8 }."""
        value = self.data.get(name, {})
        good = isinstance(value, dict) and not any(
            border.faults_of(border.whole, n, name) for n in value.values()
        )
        if not good:
            self.fault(name, f" is {shown(value)}; write whole numbers, like {{ node = 8 }}")
            return {}
        return dict(value)
