"""Solve linear programs, and programs in whole numbers: the one place that calls HiGHS.

References
----------
Huangfu and Hall, Parallelizing the dual revised simplex method, Math. Prog. Comp. 10 (2018)
119-142 (HiGHS).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import numpy as np
import scipy  # loads scipy.optimize where it is first named: an eighth of a start
from scipy import sparse

from topology.errors import SupernodeError
from topology.fabric import FloatArray, IntArray

Rule: TypeAlias = tuple[sparse.csr_array, FloatArray, FloatArray]
"""A matrix, and the least and the most of each of its rows."""
_FEW_VARIABLES = 2_000


class SolverError(SupernodeError):
    """A program that was not solved; its subclasses say why."""


class InfeasibleError(SolverError):
    """No solution exists."""


class UnboundedError(SolverError):
    """Solutions have no limit."""


class UnfinishedError(SolverError):
    """The solver stopped before it came to an answer: out of time, steps or digits."""


@dataclass(frozen=True, eq=False)
class Level:
    """The solution of `least_level`.

    Attributes
    ----------
    flow
        Shape (n,).
    level
        The lowest possible: what the solver says.
    reached
        What ``flow`` does come to, worked out from it: its highest use over room, and more by
        as much as sending what it falls short of what is wanted can take.
    price
        What each room is worth, shape (rows of use,): Σ room · price = 1, and no flow comes below
        what is wanted along its cheapest way.
    """

    flow: FloatArray
    level: float
    reached: float
    price: FloatArray


def least_level(
    use: sparse.csr_array,
    room: FloatArray,
    balance: sparse.csr_array,
    wanted: FloatArray,
    *,
    cost: FloatArray | None = None,
    vertex: bool = False,
) -> Level:
    """Return the flow that keeps everything used to the lowest level (maximum concurrent flow).

    The least ``level`` with use · flow <= level · room, balance · flow = wanted and flow >= 0.
    At level 1 a demand of ``wanted`` is met; so 1 / level of it can be met at once.

    Parameters
    ----------
    use, room
        What a unit of each flow takes, shape (r, n), and what there is, shape (r,).
    balance, wanted
        What each flow adds to each place, shape (q, n), and what has to come there, shape (q,).
    cost
        Of each flow, shape (n,), small beside 1: chooses among equal levels.
    vertex
        Whether the flow must be a vertex: simplest fractions, by the simplex method.

    Raises
    ------
    InfeasibleError, UnboundedError, UnfinishedError
        If there is no such flow, or none was found.
    """
    count = use.shape[1]
    method = "highs-ds" if vertex else "highs" if count < _FEW_VARIABLES else "highs-ipm"
    column = sparse.csr_array(-np.asarray(room, dtype=float)[:, None])
    found = scipy.optimize.linprog(
        np.append(np.zeros(count) if cost is None else cost, 1.0),
        A_ub=sparse.hstack([use, column], format="csr"),
        b_ub=np.zeros(len(room)),
        A_eq=sparse.hstack([balance, sparse.csr_array((len(wanted), 1))], format="csr"),
        b_eq=wanted,
        method=method,
    )
    if found.status:
        _refuse(found.status, found.message)
    flow = np.maximum(np.asarray(found.x[:-1], dtype=float), 0.0)
    price = np.maximum(-np.asarray(found.ineqlin.marginals, dtype=float), 0.0)
    most = float((use @ flow / room).max(initial=0.0))
    missing = float(np.abs(balance @ flow - wanted).sum())
    whole = sparse.coo_array(use)  # what is missing takes some way, over each link once
    reached = most + missing * float((whole.data / room[whole.coords[0]]).max(initial=0.0))
    return Level(flow, float(found.x[-1]), reached, price)


def least_whole(
    cost: FloatArray,
    rules: list[Rule],
    whole: IntArray,
    limits: tuple[FloatArray, FloatArray],
    **options: Any,
) -> FloatArray | None:
    """Return the cheapest solution some of whose numbers are whole; None if none was found.

    Parameters
    ----------
    cost
        Of each number, shape (n,).
    rules
        Matrices with the least and the most of each row.
    whole
        1 where a number must be whole, shape (n,).
    limits
        Least and most of each number, shapes (n,).
    **options
        HiGHS's ``node_limit``, ``mip_rel_gap``, ``time_limit``; within them the best is taken.
    """
    constraints = [scipy.optimize.LinearConstraint(*rule) for rule in rules]
    bounds = scipy.optimize.Bounds(*limits)
    found = scipy.optimize.milp(
        cost, constraints=constraints, integrality=whole, bounds=bounds, options=options
    )
    return None if found.x is None else np.asarray(found.x, dtype=float)


def _refuse(status: int, message: str) -> NoReturn:
    if status == 2:
        raise InfeasibleError("no flow brings everything where it is wanted")
    if status == 3:
        raise UnboundedError("the flow has no limit: nothing it uses is limited")
    raise UnfinishedError(f"the linear program was not solved to the end: {message}")
