"""Find machines by name, and what is published about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from inspect import cleandoc, signature
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from topology import border
from topology.hardware.catalogue import Entry, Figure, load_catalogue
from topology.registry import Registry
from topology.supernode import Builder, Supernode

SystemBuilder: TypeAlias = Callable[..., Supernode]
F = TypeVar("F", bound=SystemBuilder)

SYSTEMS: Registry[SystemBuilder] = Registry("system", "supernode.systems")
_COPIES: dict[str, int] = {}
_ADD_UP = ("npus", "cpus", "nics", "bf16", "hbm", "memory", "power", "price")
_EACH = ("npu_bandwidth",)
"""Figures that several machines together have the sum of, and that each NPU of them has."""


def system_builder(name: str, *, copies: int = 1) -> Callable[[F], F]:
    """Return a decorator that makes a function known as the builder of a machine.

    Parameters
    ----------
    name
        What `system` and the command line call it.
    copies
        How many of its row of systems.csv the function builds when called without arguments.
    """
    _COPIES[name] = copies
    return lambda builder: SYSTEMS.register(name)(_reading_flags(name, builder))


def _reading_flags(name: str, builder: F) -> F:
    """Return a builder whose parameters with True or False as default are read as such."""
    taken = signature(builder)
    flags = [key for key, one in taken.parameters.items() if isinstance(one.default, bool)]

    @wraps(builder)
    def build(*given: Any, **parameters: Any) -> Supernode:
        for key in parameters.keys() & set(flags):
            parameters[key] = border.flag(parameters[key], f"{name}: {key}")
        return builder(*given, **parameters)

    return build if flags else builder  # type: ignore[return-value]


def build_row(
    builder: Builder, row: str, npus: Sequence[str], variant: str = "", **about: Any
) -> Supernode:
    """Return the machine of a row of systems.csv, or a variant of it; see `Builder.build`."""
    name = f"{row}-{variant}" if variant else row
    return builder.build(name, npus, row=row, copies=int(not variant), **about)


def from_table(name: str, builder: F, **words: object) -> F:
    """Make a builder that a table has filled in known, named and described as if written out."""
    builder.__name__ = builder.__qualname__ = name.replace("-", "_")
    builder.__doc__ = cleandoc(builder.__doc__ or "").format(**words)
    return system_builder(name)(builder)


def system_names() -> list[str]:
    """Return the names `system` knows."""
    return sorted(SYSTEMS)


def system(name: str, /, **parameters: Any) -> Supernode:
    """Return a machine of the catalogue by name; ``-`` and ``_`` are the same.

    Parameters
    ----------
    name
        One of `system_names`.
    **parameters
        Passed to the machine's own builder.

    Raises
    ------
    UnknownNameError
        If the name is not known; the near ones are listed.
    GraphError
        If a parameter is not one the machine takes, or has a value it refuses.
    """
    machine: Supernode = SYSTEMS.call(name, **parameters)
    return machine


def system_catalogue() -> Mapping[str, Entry]:
    """Return every row of systems.csv: what is published about whole machines, by name."""
    return load_catalogue("systems.csv", ("system", "title", "vendor"))


def system_entry(supernode: Supernode) -> Entry | None:
    """Return what is published about a machine; None if the catalogue has no row for it.

    Of a machine that is several of its row, such as a cluster, the figures that add up are
    theirs together, and say so; those of the whole are left out. A variant, of another size or
    changed since, has no figures: nobody has published them.
    """
    return _entry(supernode.row, supernode.copies)


def default_entry(name: str) -> Entry | None:
    """Return what is published about the machine that `system` gives by this name alone."""
    known = SYSTEMS.canonical(name)
    return _entry(known, _COPIES.get(known, 1))


def _entry(row: str, copies: int) -> Entry | None:
    found = system_catalogue().get(row)
    if found is None or copies == 1:
        return found
    figures = {name: known for name, known in found.figures.items() if copies and name in _EACH}
    for name in _ADD_UP if copies else ():
        if name in found.figures:
            figures[name] = tuple(times(copies, figure) for figure in found.figures[name])
    said = f"{copies} × {found.title}" if copies else f"a variant of {found.title}"
    words = MappingProxyType({**found.words, "title": said})
    return Entry(row, words, MappingProxyType(figures))


def times(count: float, figure: Figure) -> Figure:
    """Return the figure of several together, with a source that says so."""
    confidence = "estimate" if figure.confidence == "estimate" else "derived"
    source = f"{count:,g} × {figure.source}"
    return replace(figure, value=figure.value * count, source=source, confidence=confidence)
