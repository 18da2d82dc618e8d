"""Find a routing policy by name; a policy is a class or function that returns a `Router`."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from topology import border
from topology.errors import RoutingError, shown
from topology.fabric import Fabric
from topology.registry import Registry
from topology.routing.flow import Router
from topology.routing.one_path import OwnRouting
from topology.supernode import Supernode

Policy: TypeAlias = Callable[..., Router]
"""Called with a fabric, ``exact=`` for whether nothing may be approximated, and options."""

RoutingLike: TypeAlias = str | Router | Callable[[str, str], object]
"""A name with options, ``"hashed:seed=3"``; a router of the machine; a function of two ids."""

ROUTINGS: Registry[Policy] = Registry("routing", "supernode.routings")
routing = ROUTINGS.register
"""Decorator: ``@routing("ecmp")`` makes a policy known by name."""

_MADE: WeakKeyDictionary[Fabric, dict[object, Router]] = WeakKeyDictionary()


def routing_names() -> list[str]:
    """Return the names `router` knows."""
    return ROUTINGS.names()


def router(
    supernode: Supernode | Fabric,
    name: RoutingLike = "ecmp",
    *,
    exact: bool = False,
    **options: Any,
) -> Router:
    """Return a routing policy on a machine; its tables are kept with the fabric.

    Parameters
    ----------
    supernode
        The machine.
    name
        One of `routing_names`, with options or without: ``"hashed"``, ``"hashed:seed=3"``; a
        router of this machine; or a function from the ids of two NPUs to the nodes of a path
        between them, or of several (see `OwnRouting`).
    exact
        Whether every detail counts, however long it takes.
    **options
        The policy's own, such as ``seed=3``.

    Raises
    ------
    UnknownNameError
        If there is no such policy.
    RoutingError
        If it does not take an option, or does not suit the machine.
    """
    fabric = supernode.fabric if isinstance(supernode, Supernode) else supernode
    if isinstance(name, Router):
        if name.fabric is not fabric:
            raise RoutingError("routing: the router given is on another machine's fabric")
        return name
    if not isinstance(name, str):
        if options:
            raise RoutingError(f"routing: a function takes no options, and {options} are given")
        return OwnRouting(fabric, name)
    word, given = border.named(name, "hashed:seed=3")
    options = {**given, **options}
    make, made = ROUTINGS[word], _MADE.setdefault(fabric, {})
    try:
        signature(make).bind(fabric, exact=exact, **options)
        key = ROUTINGS.canonical(word), exact, frozenset(options.items())
        known = made.get(key)
    except TypeError as error:
        raise RoutingError(f"routing {shown(name)}: {error}") from error
    if known is None:
        known = made[key] = make(fabric, exact=exact, **options)
    return known
