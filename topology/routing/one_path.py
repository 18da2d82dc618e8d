"""Route each pair as a function says: on one path, or on several with their shares."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from topology import border
from topology.errors import RoutingError, shown
from topology.fabric import Fabric, IntArray
from topology.naming import node_id
from topology.routing.paths import PathRouter, Ways, ways_of

_WHOLE = 1e-9


class OnePath(PathRouter):
    """A policy with one path for each pair of ranks; a new one says which in `way`."""

    @abstractmethod
    def way(self, src: str, dst: str) -> Sequence[str]:
        """Return the nodes from one NPU to another, both included."""

    def shares(self, src: str, dst: str) -> list[tuple[float, Sequence[object]]]:
        """Return the paths from one NPU to another: the share on each, and its nodes."""
        return [(1.0, self.way(src, dst))]

    def ways(self, src: IntArray, dst: IntArray) -> Ways:
        """Return the paths of pairs, each checked."""
        return ways_of(self._each(src, dst))

    def _each(self, src: IntArray, dst: IntArray) -> Iterator[tuple[int, float, IntArray]]:
        nodes = self.fabric.nodes
        ends = self.fabric.npus[src].tolist(), self.fabric.npus[dst].tolist()
        for pair, (u, v) in enumerate(zip(*ends, strict=True)):
            for share, way in self.shares(nodes[u], nodes[v]):
                yield pair, share, self._checked(nodes[u], nodes[v], way)

    def _checked(self, src: str, dst: str, way: Sequence[object]) -> IntArray:
        """Return the arcs of a path; raise `RoutingError` where it goes wrong."""
        nodes = list(map(node_id, border.ordered(way, f"{self.title}: a path", RoutingError)))
        unknown = [node for node in nodes if node not in self.fabric.index]
        if unknown or [*nodes[:1], *nodes[-1:]] != [src, dst] or len(set(nodes)) < len(nodes):
            raise RoutingError(
                f"{self.title}: the way from {src} to {dst} is {', '.join(nodes) or 'empty'}; it "
                "must go from one to the other, over no node twice"
            )
        at = np.array([self.fabric.index[node] for node in nodes], dtype=np.int64)
        if not self.fabric.forwards[at[1:-1]].all():
            blocked = nodes[1 + int(np.flatnonzero(~self.fabric.forwards[at[1:-1]])[0])]
            raise RoutingError(f"{self.title}: {blocked} does not pass traffic on")
        return self.fabric.arcs_between(at[:-1], at[1:])


class OwnRouting(OnePath):
    """A user's function: the nodes from one NPU to another, or several such paths.

    Attributes
    ----------
    fabric
        What it routes on.
    function
        Called with the ids of two NPUs. It returns one path, a list of node ids; or several: a
        list of paths that share evenly, or a mapping from paths, as tuples, to their shares.
    """

    def __init__(self, fabric: Fabric, function: Callable[[str, str], object]) -> None:
        super().__init__(fabric)
        self.function = function

    @property
    def title(self) -> str:
        """Return the function's name."""
        return str(getattr(self.function, "__name__", "own routing"))

    @property
    def words(self) -> str:
        """Say which way traffic goes."""
        return f"paths chosen by {self.title}"

    def way(self, src: str, dst: str) -> Sequence[str]:
        """Return the nodes of the first path."""
        return list(map(node_id, self.shares(src, dst)[0][1]))

    def shares(self, src: str, dst: str) -> list[tuple[float, Sequence[object]]]:
        """Return the paths the function gives, each with its share."""
        given = self.function(src, dst)
        where = f"{self.title}: the shares from {src} to {dst}"
        if isinstance(given, dict):
            amounts = border.numbers(list(given.values()), where, RoutingError)
            if abs(amounts.sum() - 1) > _WHOLE:
                raise RoutingError(f"{where} add up to {amounts.sum():g}; they must to 1")
            return [(float(x), way) for x, way in zip(amounts, given, strict=True) if x > 0]
        paths = border.ordered(given, f"{self.title}: what it returns", RoutingError)
        if not paths:
            raise RoutingError(f"{self.title}: no path from {src} to {dst}: {shown(given)}")
        if not isinstance(paths[0], list | tuple):
            paths = [paths]
        return [(1 / len(paths), way) for way in paths]
