"""Find by name what can be added to: shapes, systems, algorithms, routings, formats, failure units.

A `Registry` holds one sort of thing. What is in the tree is put there by a decorator as its module
is imported; what is in a user's package is found through the entry points of the registry's group,
which are loaded when a name is not known or all names are asked for. An entry point is the module
that holds the decorated thing::

    [project.entry-points."supernode.systems"]
    my-machine = "my_package.my_machine"
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from inspect import signature
from pkgutil import iter_modules
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from topology.errors import GraphError, SupernodeError, UnknownNameError, shown, unknown_name

T = TypeVar("T")
U = TypeVar("U")


class PluginError(SupernodeError):
    """A user's package should have something by this name, and does not give it."""


class Registry(Generic[T]):
    """Things of one sort by name; ``-`` and ``_`` are the same, and so are capitals and small.

    Parameters
    ----------
    what
        What they are, for messages: "system".
    group
        The group of entry points that users' packages have: "supernode.systems".
    also
        Other words that are right where a name is asked for, such as "auto", for messages.
    """

    def __init__(self, what: str, group: str, *, also: Sequence[str] = ()) -> None:
        self.what, self.group, self._also = what, group, also
        self._known: dict[str, tuple[str, T]] = {}
        self._aliases: dict[str, str] = {}

    def register(self, name: str, *, aliases: Sequence[str] = ()) -> Callable[[U], U]:
        """Return a decorator that makes what stands below it known by name.

        Raises
        ------
        SupernodeError
            If a name is not a word, or belongs to another thing. The same function may come
            again, as when a cell of a notebook is run twice.
        """

        def put(thing: U) -> U:
            self.add(name, thing, aliases=aliases)  # type: ignore[arg-type]
            return thing

        return put

    def add(
        self, name: str, thing: T, *, aliases: Sequence[str] = (), replace: bool = False
    ) -> None:
        """Make something known by name; ``replace`` lets it take the place of another."""
        for word in (name, *aliases):
            if not isinstance(word, str) or not word.strip():
                raise SupernodeError(f"{self.what}: {shown(word)} is not a name; give a word")
            other = self._find(_key(word))
            if other is not None and not replace and _origin(other[1]) != _origin(thing):
                raise SupernodeError(
                    f"{self.what} {shown(word)} is there already, from {_origin(other[1])}; "
                    "choose another name"
                )
        self._known[_key(name)] = name, thing
        self._aliases.update((_key(alias), _key(name)) for alias in aliases)

    def names(self) -> list[str]:
        """Return every name in the order it came, those of users' packages last."""
        plugin_faults(self.group)
        return [name for name, _ in self._known.values()]

    def canonical(self, name: str) -> str:
        """Return the name as it was registered; errors as in ``registry[name]``."""
        return self._named(name)[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return self._look_up(name) is not None

    def __getitem__(self, name: str) -> T:
        """Return what has a name.

        Raises
        ------
        UnknownNameError
            If nothing has; the near names are listed, and the plugins that are broken.
        PluginError
            If a user's package should have it, and is broken.
        """
        return self._named(name)[1]

    def call(self, name: str, /, **parameters: Any) -> Any:
        """Return what a function of the registry gives; raise `GraphError` if they do not fit."""
        function: Any = self[name]
        try:
            signature(function).bind(**parameters)
        except TypeError as error:
            takes = ", ".join(f"{one}=" for one in signature(function).parameters) or "nothing"
            raise GraphError(f"{self.what} {shown(name)}: {error}; it takes {takes}") from error
        return function(**parameters)

    def _named(self, name: object) -> tuple[str, T]:
        found = self._look_up(name)
        if found is not None:
            return found
        faults = plugin_faults(self.group)
        for plugin, fault in faults.items():
            if _key(plugin) == _key(name):
                none = f"plugin {plugin!r} is there, but registers no {self.what} {shown(name)}"
                raise PluginError(fault or none)
        broken = "".join(f"; {fault}" for fault in faults.values() if fault)
        known = [*self.names(), *self._also]
        raise UnknownNameError(f"{unknown_name(self.what, name, known)}{broken}")

    def _look_up(self, name: object) -> tuple[str, T] | None:
        found = self._find(_key(name))
        if found is None:
            plugin_faults(self.group)
            found = self._find(_key(name))
        return found

    def _find(self, key: str) -> tuple[str, T] | None:
        return self._known.get(self._aliases.get(key, key))


def _key(name: object) -> str:
    """Return what two spellings of a name have in common."""
    return str(name).strip().lower().replace("_", "-")


def _origin(thing: object) -> str:
    """Return where a thing was written."""
    name = getattr(thing, "__qualname__", None)
    return f"{getattr(thing, '__module__', '')}.{name}" if name else repr(thing)


@cache
def plugin_faults(group: str) -> Mapping[str, str]:
    """Load the entry points of a group, once; return what is wrong with each, "" for nothing.

    One that is broken does not take the others with it.
    """
    found = sorted(entry_points(group=group), key=lambda entry: (entry.name, entry.value))
    return MappingProxyType({entry.name: _load_fault(entry) for entry in found})


def _load_fault(entry: EntryPoint) -> str:
    try:
        entry.load()
    except Exception as error:  # whatever a plugin raises is its fault
        where = f" of {entry.dist.name}" if entry.dist else ""
        return (
            f"plugin {entry.name!r}{where} ({entry.value}) cannot be loaded: "
            f"{type(error).__name__}: {error}"
        )
    return ""


def import_all(package: str, path: Sequence[str]) -> None:
    """Import every module of a package, so that its decorators run.

    Parameters
    ----------
    package, path
        The package's ``__name__`` and ``__path__``.
    """
    for module in sorted(iter_modules(path), key=lambda found: found.name):
        import_module(f"{package}.{module.name}")
