"""Find shapes by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from topology.registry import Registry
from topology.supernode import Supernode

Shape: TypeAlias = Callable[..., Supernode]
F = TypeVar("F", bound=Shape)

SHAPES: Registry[Shape] = Registry("shape", "supernode.shapes")


def shape(function: F) -> F:
    """Make a function known as a shape by its own name: the decorator ``@shape``."""
    return SHAPES.register(function.__name__)(function)


def shape_names() -> list[str]:
    """Return the names of the shapes."""
    return sorted(SHAPES)


def find_shape(name: str) -> Shape:
    """Return a shape's function; raise `UnknownNameError` if the name is not known."""
    return SHAPES[name]
