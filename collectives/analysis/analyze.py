"""Answer how long a collective takes on a machine, and what limits it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy.typing as npt

from collectives.algorithms import find_algorithm
from collectives.algorithms.team import team_of
from collectives.analysis.answer import Analysis, answer
from collectives.analysis.question import as_sizes, one_group
from collectives.model.collective import Collective, collective
from collectives.model.schedule import Schedule
from collectives.stacks import Stack
from topology.routing import RoutingLike
from topology.supernode import Supernode


def make_schedule(
    supernode: Supernode,
    kind: str,
    *,
    algorithm: str,
    ranks: npt.ArrayLike | None = None,
    group_size: int | None = None,
    size: float | str | None = None,
) -> Schedule:
    """Return an algorithm's schedule for a machine's ranks.

    Parameters
    ----------
    supernode
        The machine.
    kind
        The collective's name.
    algorithm
        One of `algorithm_names`.
    ranks, group_size
        See `team_of`.
    size
        S in bytes, or a string with a unit: a pipeline is then cut in the segments that are
        best for it, and in 16 otherwise.
    """
    if size is None:
        return find_algorithm(kind, algorithm)(team_of(supernode, ranks, group_size))
    question = one_group(
        supernode, kind, size, algorithm=algorithm, ranks=ranks, group_size=group_size
    )
    return find_algorithm(kind, algorithm)(question.team(question.ranks, question.size))


def analyze(
    supernode: Supernode,
    kind: str | Collective,
    size: float | str,
    *,
    algorithm: str | Schedule = "auto",
    routing: RoutingLike = "ecmp",
    ranks: npt.ArrayLike | None = None,
    group_size: int | None = None,
    rate: str = "line",
    alpha: float | str | None = None,
    message: float | str | None = None,
    exact: bool = False,
    stack: str | Stack | None = None,
    launch: str | None = None,
) -> Analysis:
    """Analyse a collective on a machine: how long, how near the bound, and what limits it.

    Parameters
    ----------
    supernode
        The machine.
    kind
        The collective: one of `collective_names`.
    size
        S in bytes, or a string with a unit; what S means is in `Collective.size`.
    algorithm
        One of `algorithm_names`, a `Schedule`, or "auto" for the fastest.
    routing
        A policy: see `topology.routing.router`.
    ranks
        Who takes part, and in which order; by default all NPUs.
    group_size
        Consecutive ranks to a group for two-level algorithms; by default the machine's nodes.
    rate
        "line", or "effective" for the rates software reaches.
    alpha, message
        Endpoint seconds per step and per message, or texts such as "2us", instead of the
        devices' rows.
    exact
        Whether an answer that is approximate in any way is refused.
    stack
        The software that runs it, one of `stack_names`, a file that `calibrate` wrote, or a
        `Stack`; by default "ideal", perfect software.
    launch
        How its processes are launched, one of the stack's `launches`.

    Raises
    ------
    SupernodeError
        One clear message for anything that does not fit.
    """
    question = one_group(
        supernode, kind, size, algorithm=algorithm, ranks=ranks, routing=routing,
        group_size=group_size, rate=rate, alpha=alpha, message=message, exact=exact, stack=stack,
        launch=launch,
    )  # fmt: skip
    return answer(question)[0]


def analyze_sizes(
    supernode: Supernode,
    kind: str | Collective,
    sizes: Iterable[float | str],
    *,
    algorithm: str | Schedule = "auto",
    ranks: npt.ArrayLike | None = None,
    progress: Callable[[str, float], object] | None = None,
    **choices: object,
) -> list[Analysis]:
    """Analyse a collective at several sizes, routing every schedule once.

    Takes what `analyze` takes, with ``sizes`` instead of one size, and returns an `Analysis` for
    each. ``progress`` is called with what is being routed and the fraction done.
    """
    amounts = [collective(kind).payload(size) for size in as_sizes(sizes)]
    question = one_group(
        supernode, kind, max(amounts, default=0.0), algorithm=algorithm, ranks=ranks,
        progress=progress, **choices,
    )  # fmt: skip
    return answer(question, amounts)
