"""Find the best all-to-all: the maximum concurrent flow, with the link lengths that prove it.

The linear program sends a flow from every source. Symmetry makes it small: one source speaks for
its whole orbit, and the flow from a source needs no more than one variable for each class of
links in an equitable partition around it. Spread evenly over the links of a class, and over the
orbit, such a flow is a flow of the whole fabric at the same rate; and the lengths in the dual are
checked on the whole fabric.

References
----------
Shahrokhi and Matula, J. ACM 37 (1990) 318-334 (maximum concurrent flow and its dual); Grohe,
Kersting, Mladenov and Selman, Dimension reduction via colour refinement, ESA 2014.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from collectives.bounds.certificates import CollectiveNeed, Lengths, Need
from collectives.bounds.describe import length_words
from collectives.bounds.dual import Amounts, by_length, needed
from collectives.bounds.frank_wolfe import Search, approximate
from collectives.bounds.network import Network
from collectives.bounds.split_nodes import halves
from collectives.model.schedule import IntArray, Progress
from topology.errors import SupernodeError
from topology.fabric import FloatArray
from topology.routing.quotient import Quotient, quotient
from topology.solvers.linear import InfeasibleError, UnfinishedError, least_level
from topology.supernode import Supernode
from topology.symmetry import Coloured, codes, equitable_partition, is_equitable

_MOST_VARIABLES = 20_000
_MOST_SEARCHED = 400_000_000
_NEGLIGIBLE = 1e-11


@dataclass(frozen=True, eq=False)
class Prices:
    """Lengths of links and of limited switches, from a solved program.

    Attributes
    ----------
    link
        Of each arc of the network, shape (m,).
    node
        Of each node of the network, shape (n,); zero but at limited switches.
    rate
        What every pair gets per unit of its amount, in bytes/s: reached by a flow.
    searched
        Whether they come from a search that stops near the optimum.
    """

    link: FloatArray
    node: FloatArray
    rate: float
    searched: bool = False


@dataclass(frozen=True, eq=False)
class Around:
    """The classes of nodes and links around one source.

    Attributes
    ----------
    tail, head
        Classes at the ends of each class of links, shape (a,).
    orbit
        Orbit of those links, shape (a,).
    wanted
        What each class of nodes receives at rate 1, shape (c,).
    limited
        Orbit of the limited switch each class of links enters, or -1, shape (a,).
    source
        Class of the source.
    weight
        Ranks the source speaks for.
    """

    tail: IntArray
    head: IntArray
    orbit: IntArray
    wanted: FloatArray
    limited: IntArray
    source: int
    weight: float


def around(net: Network, rank: int, weight: float, amounts: Amounts) -> Around:
    """Return what a source sees of a network, as few classes as symmetry allows.

    Parameters
    ----------
    net
        The network.
    rank
        The source, as a position among the ranks.
    weight
        Ranks it speaks for.
    amounts
        What it sends.
    """
    fabric = net.fabric
    node = int(fabric.npus[rank])
    groups = net.groups.copy()
    groups[node] = int(groups.max()) + 1
    q = quotient(fabric, groups)
    orbit = net.orbits.node[net.quotient.group[q.member]]
    arc_orbit = net.orbits.arc[net.quotient.arc[q.sample]]
    source = int(q.group[node])
    classes = _classes(q, orbit, arc_orbit, source)
    ends = classes[q.group[fabric.npus]]
    row = np.bincount(ends, amounts.row(rank, net.ranks), int(classes.max()) + 1).astype(float)
    kept = fabric.forwards[q.member[q.tail]] | (q.tail == source)
    kept &= (q.head != source) & (q.head != q.tail)
    tail, head, links = classes[q.tail[kept]], classes[q.head[kept]], arc_orbit[kept]
    limit = np.isfinite(fabric.node_capacity[q.member[q.head[kept]]])
    gate = np.where(limit, orbit[q.head[kept]], -1)
    _, one = np.unique(codes([tail, head, links]), return_index=True)
    return Around(tail[one], head[one], links[one], row, gate[one], int(classes[source]), weight)


def _classes(q: Quotient, orbit: IntArray, arc_orbit: IntArray, source: int) -> IntArray:
    """Return the classes of an equitable partition with the source apart, counted and checked."""
    marked = np.zeros(len(q.size), dtype=np.int64)
    marked[source] = 1
    graph = Coloured(
        q.tail, q.head, codes([orbit, marked, q.size]), codes([arc_orbit, q.count]), q.member
    )
    classes = equitable_partition(graph)
    return classes if is_equitable(graph, classes) else np.arange(len(q.size))


def sources(net: Network, amounts: Amounts) -> list[tuple[int, float]]:
    """Return one rank for each orbit that sends, and how many ranks it speaks for."""
    group = net.quotient.group[net.fabric.npus]
    orbit = net.orbits.node[group]
    _, first, count = np.unique(orbit, return_index=True, return_counts=True)
    pairs = sorted(zip(first.tolist(), count.astype(float).tolist(), strict=True))
    return [(rank, weight) for rank, weight in pairs if amounts.row(rank, net.ranks).any()]


def solve(net: Network, views: list[Around]) -> Prices:
    """Solve the program exactly (HiGHS) and return rate and prices.

    Parameters
    ----------
    net
        The network.
    views
        One for each orbit of sources.

    Raises
    ------
    SupernodeError
        If a rank cannot reach another it has something for.
    """
    fabric, q = net.fabric, net.quotient
    if not len(fabric.tail):
        raise unreachable()
    unit = float(fabric.capacity.max())
    offered = np.bincount(net.orbits.arc, q.capacity * q.count) / unit
    limit = np.where(np.isfinite(fabric.node_capacity), fabric.node_capacity, 0.0)[q.member]
    forwarded = np.bincount(net.orbits.node, limit * q.size) / unit
    gates = np.flatnonzero(forwarded)
    scale = 1 / max(view.weight * float(view.wanted.sum()) for view in views)
    use, balance, wanted = _program(views, len(offered), gates, scale)
    try:
        found = least_level(use, np.concatenate([offered, forwarded[gates]]), balance, wanted)
    except InfeasibleError as error:
        raise unreachable() from error
    price = found.price
    price[price < _NEGLIGIBLE * price.max()] = 0.0
    inside = np.zeros(len(forwarded))
    inside[gates] = price[len(offered) :]
    link = price[: len(offered)][net.orbits.arc][q.arc]
    return Prices(link, inside[net.orbits.node][q.group], scale * unit / found.reached)


def unreachable() -> SupernodeError:
    """Return the error for ranks that data cannot go between."""
    return SupernodeError(
        "some ranks cannot reach one another through nodes that pass data on; "
        "choose ranks= that are connected"
    )


def _program(
    views: list[Around], orbits: int, gates: IntArray, scale: float
) -> tuple[sparse.csr_array, sparse.csr_array, FloatArray]:
    """Return what flows take of each orbit of links and gates, and what each class gets.

    The columns are the flows on every class of links of every view. The rows of the balance are
    the classes but the sources; with them comes what is wanted there.
    """
    gate_row = np.full(int(gates.max(initial=-1)) + 2, -1)
    gate_row[gates] = orbits + np.arange(len(gates))
    use, keep, wanted = [], [], []
    column = row = 0
    for view in views:
        count = len(view.tail)
        flows = column + np.arange(count)
        gated = np.flatnonzero(view.limited >= 0)
        full = np.full(count, view.weight)
        use.append((view.orbit, flows, full))
        use.append((gate_row[view.limited[gated]], flows[gated], full[gated]))
        place = _rows(view, row)
        for end, sign in ((view.head, 1.0), (view.tail, -1.0)):
            inner = place[end] >= 0
            keep.append((place[end[inner]], flows[inner], np.full(int(inner.sum()), sign)))
        wanted.append(scale * np.delete(view.wanted, view.source))
        column += count
        row += len(view.wanted) - 1
    used = _matrix(use, orbits + len(gates), column)
    return used, _matrix(keep, row, column), np.concatenate(wanted)


def _rows(view: Around, first: int) -> IntArray:
    """Return the balance row of each class; -1 at the source."""
    place = first + np.arange(len(view.wanted))
    place[view.source + 1 :] -= 1
    place[view.source] = -1
    return place


def _matrix(
    parts: list[tuple[IntArray, IntArray, FloatArray]], rows: int, columns: int
) -> sparse.csr_array:
    row, column, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    return sparse.csr_array((value, (row, column)), shape=(rows, columns))


def proof_of(supernode: Supernode, net: Network, prices: Prices, need: Need) -> Lengths:
    """Return prices as a certificate; its claim is worked out afresh.

    Parameters
    ----------
    supernode
        The machine.
    net
        The part of it that carries the demand, ranks in the order of the need's.
    prices
        Lengths of links and switches; any will do, the best make the tightest claim.
    need
        The demand.
    """
    bare, fabric = net.fabric, supernode.fabric
    top = max(float(prices.link.max(initial=0.0)), float(prices.node.max(initial=0.0)))
    link, node = _rounded(prices.link / top), _rounded(prices.node / top)
    limit = np.where(node > 0, bare.node_capacity, 0.0)
    offered = math.fsum((bare.capacity * link).tolist()) + math.fsum((limit * node).tolist())
    return Lengths(
        (need,),
        needed(net, link, node, amounts_of(need)) / offered,
        length_words(fabric, net, link, node),
        net.relay,
        links=by_length(bare.arcs, link),
        switches=by_length(list(bare.nodes), node),
    )


def amounts_of(need: Need) -> Amounts:
    """Return the demand of a need in which every byte is for one rank: nobody copies or adds."""
    if isinstance(need, CollectiveNeed) and not need.kind.rooted:
        return Amounts()  # the same for all pairs, without a table of them
    matrix = need.rows(np.arange(len(need.ranks)), copied=False)
    if matrix is None:
        raise SupernodeError(f"lengths do not bound {need}: its data may be copied or added up")
    apart = ~np.eye(len(matrix), dtype=bool)
    even = len(matrix) > 1 and bool((matrix[apart] == 1 / len(matrix)).all())
    return Amounts() if even else Amounts(matrix)


def _rounded(length: FloatArray) -> FloatArray:
    """Return lengths to 13 digits, so that equal ones are equal."""
    rounded: FloatArray = np.round(length, 13)
    return rounded


def marked(net: Network, amounts: Amounts) -> Network:
    """Return a network whose ranks are told apart where the demand tells them apart."""
    if amounts.matrix is None:
        return net
    alike: dict[tuple[bytes, bytes], int] = {}
    mark = np.zeros(len(net.fabric.nodes), dtype=np.int64)
    for node, row, column in zip(net.fabric.npus, amounts.matrix, amounts.matrix.T, strict=True):
        mark[node] = alike.setdefault((row.tobytes(), column.tobytes()), 1 + len(alike))
    return net.marked(mark)


def best_prices(
    net: Network, amounts: Amounts, gap: float | None, progress: Progress | None = None
) -> Prices | None:
    """Return the optimum of a demand, or something near it where the program is too large.

    None if even a search would take too long, or is not wanted: thousands of NPUs, no two of
    them alike.

    Parameters
    ----------
    net
        The network, its ranks marked as the demand needs.
    amounts
        The demand.
    gap
        How near, as a fraction; None for no search.
    progress
        Told how a long search stands.
    """
    views: list[Around] = []
    left = _MOST_VARIABLES
    for rank, weight in sources(net, amounts):
        view = around(net, rank, weight, amounts)
        left -= len(view.tail)
        if left < 0:
            return searched(net, amounts, gap, progress)
        views.append(view)
    try:
        return solve(net, views)
    except UnfinishedError:
        return searched(net, amounts, gap, progress)


def searched(
    net: Network, amounts: Amounts, gap: float | None, progress: Progress | None
) -> Prices | None:
    """Return prices near the optimum, as `best_prices`; None if the search is too long."""
    if gap is None or len(net.rank_groups) * len(net.quotient.tail) > _MOST_SEARCHED:
        return None
    laid = halves(net)
    if amounts.matrix is None:
        wanted = np.outer(laid.size, laid.size) / net.ranks
        np.fill_diagonal(wanted, laid.size * (laid.size - 1) / net.ranks)
    else:
        place = np.searchsorted(laid.senders, laid.q.group[net.fabric.npus])
        wanted = np.zeros((len(laid.senders),) * 2)
        np.add.at(wanted, (place[:, None], place[None, :]), amounts.matrix)
        np.fill_diagonal(wanted, 0.0)
    search = Search(laid, wanted, gap, progress)
    approximate(search)
    inside = np.zeros(len(laid.q.size))
    inside[laid.limited] = search.lengths[laid.links : laid.links + len(laid.limited)]
    link = search.lengths[: laid.links][laid.q.arc]
    return Prices(link, inside[laid.q.group], search.reached, searched=True)
