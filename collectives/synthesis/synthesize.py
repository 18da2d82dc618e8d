"""Find schedules that reach the bandwidth bound.

Trees are grown from one root on a grid of ranks whose shifts are symmetries of the machine (see
`arrangement` and `trees`), measured on the fabric, and pipelined. Machines without such symmetry,
up to 64 ranks, get trees packed by max-flow tests (see `edge_splitting` and `packing`).
All-to-alls are flows of a linear program instead (see `exchange`).

References
----------
Zhao et al., ForestColl: throughput-optimal collective communications on heterogeneous network
fabrics, arXiv:2402.06787 (spanning-tree packing). Basu et al., Efficient all-to-all and Zhao et
al., Efficient direct-connect topologies for collective communications, arXiv:2202.03356 (breadth
first broadcast on symmetric graphs).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm
from weakref import WeakKeyDictionary

import networkx as nx
import numpy as np
import numpy.typing as npt
from scipy import sparse

from collectives.bounds import bound, gather_bound
from collectives.bounds.gather import GatherOptimum
from collectives.bounds.network import network
from collectives.model.collective import collective
from collectives.model.schedule import IntArray, Schedule, ScheduleError
from collectives.model.traffic import merged
from collectives.synthesis.arrangement import Arrangement, arrangements
from collectives.synthesis.edge_splitting import Merged, merge
from collectives.synthesis.exchange import exchange_schedule, find_exchange
from collectives.synthesis.forest import Forest, Grove, gathering, reducing
from collectives.synthesis.layout import quickest
from collectives.synthesis.packing import Batch, feasible, pack
from collectives.synthesis.steady import SteadyState, busy_of, near_bound
from collectives.synthesis.trees import Moves, Tree, grow, moves_of
from topology import border
from topology.errors import RoutingError, UnreachableError
from topology.fabric import Fabric
from topology.routing import Ecmp, Uniform, chosen_ranks, ecmp
from topology.solvers.linear import least_level
from topology.supernode import Supernode
from topology.text import Part, counted
from topology.units import MiB

_KINDS = ("all_gather", "reduce_scatter", "all_reduce", "all_to_all")
_MOST_TREES, _MOST_GIVEN = 64, 1024
_FEW_TREES = 16
_MOST_PIECES = 2_048
_MOST_RANKS = 64
_MOST_WORK = 16_384
_MOST_PACKED = 512

_FOUND: WeakKeyDictionary[Fabric, dict[tuple[bytes, int | None, int], Synthesis]]
_FOUND = WeakKeyDictionary()


@dataclass(frozen=True, eq=False, repr=False)
class Synthesis(SteadyState):
    """A forest and how near its steady state is to the bound.

    Attributes
    ----------
    forest
        The trees.
    seconds_per_byte
        Busy time of the most loaded link per byte of S: the all-gather's steady state.
    bound
        The same of the all-gather bound.
    neighbours
        Whether every tree edge is a link.
    """

    forest: Grove
    seconds_per_byte: float
    bound: float
    neighbours: bool

    def parts(self) -> list[Part]:
        """Return how many trees of how many hops, and how near the bound."""
        trees, hops = counted(self.forest.pieces, "tree"), counted(self.forest.depth, "hop")
        ranks = counted(self.forest.size, "rank")
        return [f"all-gather of {ranks}: {trees} from each, up to {hops} deep; {self.near}"]


def find_forest(
    supernode: Supernode,
    ranks: npt.ArrayLike | None = None,
    *,
    trees: int | None = None,
    pack: int = _MOST_RANKS,
) -> Synthesis:
    """Return the best forest found for an all-gather.

    Parameters
    ----------
    supernode
        The machine.
    ranks
        Who takes part; by default all.
    trees
        How many trees a root has; by default as many as the optimum needs, 64 at most.
    pack
        Up to how many ranks trees are packed one by one where no regular ones reach the bound.
    """
    chosen = chosen_ranks(ranks, len(supernode.npus))
    if trees is not None:
        border.whole(trees, "trees", most=_MOST_GIVEN, error=ScheduleError)
    pack = border.whole(pack, "pack", least=0, error=ScheduleError)
    known = _FOUND.setdefault(supernode.fabric, {})
    key = chosen.tobytes(), trees, pack
    if key not in known:
        known[key] = _find_forest(supernode, chosen, trees, pack)
    return known[key]


def _find_forest(supernode: Supernode, chosen: IntArray, trees: int | None, pack: int) -> Synthesis:
    limit = bound(supernode, "all_gather", chosen).seconds_per_byte
    best: Synthesis | None = None
    for found in _candidates(supernode, chosen, trees, limit):
        best = found if found.better_than(best) else best
        if found.optimal:
            break
    if (best is None or not best.optimal) and len(chosen) <= pack:
        packed = _packed(supernode, chosen, trees, limit)
        best = packed if packed and packed.better_than(best) else best
    if best is None:
        raise ScheduleError(
            f"no forest was found on {supernode.name}: some ranks have no path to each other but "
            "through NPUs that do not take part; choose ranks= that include them"
        )
    return best


def _candidates(
    supernode: Supernode, ranks: IntArray, trees: int | None, limit: float
) -> Iterator[Synthesis]:
    routing = ecmp(supernode)
    try:
        yield _measured(routing, ranks, _star(len(ranks)), limit, neighbours=False)
        grids = list(arrangements(supernode, ranks))
    except RoutingError:  # some pair has no path of its own: nothing regular to build on
        return
    for grid in grids:
        moves = moves_of(routing, ranks, grid)
        needed, least = _needed(moves, grid.size)
        if least > limit * (1 + 1e-3) and grid.dims == (grid.size,):
            continue  # a cycle that is no symmetry of the machine
        neighbours = _all_links(routing, ranks, grid, moves)
        for count in [trees] if trees else sorted({1, needed}):
            for shallow in (True, False) if neighbours else (False,):
                grown = tuple(grow(grid, moves, count, shallow=shallow))
                forest = Forest(grid.size, grown, grid)
                found = _measured(routing, ranks, forest, limit, neighbours=neighbours)
                yield found
                if found.optimal:
                    return


def _packed(
    supernode: Supernode, ranks: IntArray, trees: int | None, limit: float
) -> Synthesis | None:
    """Return trees packed one by one, for machines without symmetry; None if none fit.

    Where switches had to go and their pairing leaves no room for as many trees as the optimum
    has, more and thinner trees lose less to rounding.
    """
    try:
        optimum, merged = _without_others(supernode, ranks)
    except UnreachableError:  # they reach each other only through NPUs that take no part
        return None
    most = max(1, min(_MOST_PACKED, _MOST_WORK // len(ranks) ** 2))
    exact = trees or min(merged.trees(optimum.rate), most)
    counts = [exact] if trees else sorted({exact, exact * max(1, most // exact)})
    found = None
    for asked in counts:
        capacity = merged.whole(optimum.rate, asked)
        count = bisect_left(range(1, asked + 1), 1, key=lambda n: not feasible(capacity, n))
        if count:
            found = _grove(supernode, ranks, pack(capacity, count), limit) or found
        if found is not None and found.optimal:
            break
    return found


def _without_others(supernode: Supernode, ranks: IntArray) -> tuple[GatherOptimum, Merged]:
    """Return the optimum without NPUs that take no part: a bound lets them relay, trees cannot."""
    names = [supernode.npus[rank] for rank in ranks.tolist()]
    nodes = supernode.graph.nodes
    others = [v for v in supernode.npus if v not in set(names) and not nodes[v]["forwards"]]
    machine = supernode.without(nodes=others) if others else supernode
    place = {npu: rank for rank, npu in enumerate(machine.npus)}
    there = np.array([place[name] for name in names])
    return gather_bound(machine, there), merge(network(machine.fabric, there))


def _grove(
    supernode: Supernode, ranks: IntArray, batches: list[Batch], limit: float
) -> Synthesis | None:
    """Measure packed trees; None if two ranks they join have no path of their own."""
    batches = sorted(batches, key=lambda batch: batch.root)
    trees = (Tree(b.parent, b.depth) for b in batches for _ in range(b.count))
    grove = Grove(len(ranks), tuple(trees))
    routing = ecmp(supernode)
    try:
        return _measured(routing, ranks, grove, limit, neighbours=_linked(routing, ranks, grove))
    except RoutingError:
        return None


def _linked(routing: Ecmp, ranks: IntArray, grove: Grove) -> bool:
    """Return whether every tree edge is a link."""
    fabric = routing.fabric
    tail, head = (fabric.npus[ranks[ends]] for ends in grove.ends)
    return bool((fabric.find_arcs(tail, head) >= 0).all())


def _star(size: int) -> Forest:
    """Return a forest of one star from every rank: direct exchange."""
    parent = np.zeros(size, dtype=np.int64)
    parent[0] = -1
    depth = np.ones(size, dtype=np.int64)
    depth[0] = 0
    return Forest(size, (Tree(parent, depth),), Arrangement((size,), np.arange(size)))


def _measured(
    routing: Ecmp, ranks: IntArray, forest: Grove, limit: float, *, neighbours: bool
) -> Synthesis:
    """Route a forest's traffic on the fabric."""
    direct = isinstance(forest, Forest) and forest.depth <= 1
    traffic = Uniform(ranks, 1 / len(ranks)) if direct else forest.traffic().placed(ranks)
    return Synthesis(forest, float(busy_of(routing, traffic).max()), limit, neighbours)


def _all_links(routing: Ecmp, ranks: IntArray, grid: Arrangement, moves: Moves) -> bool:
    fabric, cells = routing.fabric, np.arange(grid.size)
    nodes = fabric.npus[ranks[grid.position]]
    for shift in moves.shift.tolist():
        target = grid.shifted(cells, np.full(grid.size, shift))
        if (fabric.find_arcs(nodes, nodes[target]) < 0).any():
            return False
    return True


def _needed(moves: Moves, size: int) -> tuple[int, float]:
    """Return how many trees the best use of moves needs, and the busy time it would reach.

    That is a small linear program over how often a tree uses each move.
    """
    kinds = moves.busy.shape[1]
    scale = float(moves.busy.max())
    use = sparse.csr_array(moves.busy.T / scale)
    total = sparse.csr_array(np.ones((1, len(moves.shift))))
    found = least_level(use, np.ones(kinds), total, np.array([size - 1.0]), vertex=True)
    parts = [Fraction(x).limit_denominator(_MOST_TREES).denominator for x in found.flow.tolist()]
    needed = lcm(*parts)
    return (needed if needed <= _MOST_TREES else 1), found.level * scale / size


def synthesize(
    supernode: Supernode,
    kind: str,
    *,
    ranks: npt.ArrayLike | None = None,
    trees: int | None = None,
    size: float = 256 * MiB,
    pack: int = _MOST_RANKS,
) -> Schedule:
    """Return a schedule that reaches the bandwidth bound where one is found.

    Parameters
    ----------
    supernode
        The machine.
    kind
        "all_gather", "reduce_scatter", "all_reduce" or "all_to_all".
    ranks
        Who takes part; by default all. The schedule is for these ranks in this order.
    trees
        How many trees a root has; fewer are simpler, and may be slower. For an all-to-all, how
        many pieces of a block may take ways of their own.
    size
        Bytes the pipelining is tuned for.
    pack
        As in `find_forest`.

    Raises
    ------
    ScheduleError
        If the collective is not one of the four, or ranks cannot reach one another.
    """
    wanted = collective(kind).name
    if wanted not in _KINDS:
        raise ScheduleError(f"synthesize makes {', '.join(_KINDS)}; {wanted} is not among them")
    chosen = chosen_ranks(ranks, len(supernode.npus))
    if len(chosen) == 1:
        return Schedule("forest", collective(wanted), 1, 1, ())
    if wanted == "all_to_all":
        return exchange_schedule(supernode, find_exchange(supernode, chosen, pieces=trees), size)
    down = up = _gathered(supernode, chosen, trees, size, pack)
    if wanted != "all_gather":
        back = _reversed(supernode)
        if back is not supernode:
            up = _gathered(back, chosen, trees, size, pack)
        if trees is None and lcm(up.chunks, down.chunks) > _MOST_PIECES * len(chosen):
            return synthesize(supernode, kind, ranks=chosen, trees=_FEW_TREES, size=size, pack=pack)
    made = down if wanted == "all_gather" else reducing(wanted, up, down)
    return replace(made, notes=(_near(supernode, made, chosen),))


def _gathered(
    supernode: Supernode, ranks: IntArray, trees: int | None, size: float, pack: int
) -> Schedule:
    """Return an all-gather down the best forest found."""
    found = find_forest(supernode, ranks, trees=trees, pack=pack)
    neighbours = found.neighbours and found.forest.depth > 1
    return quickest(supernode, ranks, found.forest, gathering, size, neighbours=neighbours)


def _reversed(supernode: Supernode) -> Supernode:
    """Return a machine with its links turned round; itself where that changes no capacity."""
    if supernode.fabric.mirrored:
        return supernode
    return replace(supernode, graph=nx.DiGraph(supernode.graph).reverse())


def _near(supernode: Supernode, schedule: Schedule, ranks: IntArray) -> str:
    """Say how near the bound the busiest links of a schedule's phases are, taken together."""
    routing, phases = ecmp(supernode), defaultdict(list)
    for step in schedule.steps:
        phases[step.phase].append(step.traffic.pairs().scaled(step.repeat))
    busy = sum(
        float(busy_of(routing, merged(parts).placed(ranks)).max()) for parts in phases.values()
    )
    limit = bound(supernode, schedule.collective, ranks).seconds_per_byte
    return near_bound(limit, busy)
