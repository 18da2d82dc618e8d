"""Find a routing policy by name; a policy is a class or function that returns a `Router`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias
from weakref import WeakKeyDictionary

from topology.errors import RoutingError
from topology.fabric import Fabric
from topology.registry import Registry
from topology.routing.flow import Router
from topology.supernode import Supernode

Policy: TypeAlias = Callable[..., Router]
"""Called with a fabric, and ``exact=`` for whether nothing may be approximated."""

ROUTINGS: Registry[Policy] = Registry("routing", "supernode.routings")
routing = ROUTINGS.register
"""Decorator: ``@routing("ecmp")`` makes a policy known by name."""

_MADE: WeakKeyDictionary[Fabric, dict[tuple[str, bool], Router]] = WeakKeyDictionary()


def routing_names() -> list[str]:
    """Return the names `router` knows."""
    return ROUTINGS.names()


def router(
    supernode: Supernode | Fabric, name: str | Router = "ecmp", *, exact: bool = False
) -> Router:
    """Return a routing policy on a machine; its tables are kept with the fabric.

    Parameters
    ----------
    supernode
        The machine.
    name
        One of `routing_names`, or a router of this machine.
    exact
        Whether every detail counts, however long it takes.

    Raises
    ------
    UnknownNameError
        If there is no such policy.
    """
    fabric = supernode.fabric if isinstance(supernode, Supernode) else supernode
    if isinstance(name, Router):
        if name.fabric is not fabric:
            raise RoutingError("routing: the router given is on another machine's fabric")
        return name
    policy = ROUTINGS[name]
    made = _MADE.setdefault(fabric, {})
    key = ROUTINGS.canonical(name), exact
    if key not in made:
        made[key] = policy(fabric, exact=exact)
    return made[key]
