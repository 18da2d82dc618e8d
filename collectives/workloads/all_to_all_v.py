"""Analyse an all-to-all whose blocks differ: all-to-all-v, from a matrix of bytes."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from collectives.algorithms.alltoall import check_matrix, mean_size, uneven
from collectives.analysis.answer import Analysis, answer
from collectives.analysis.question import Job, ask
from collectives.bounds import PairsNeed
from collectives.model.schedule import Progress, Schedule
from topology.routing import chosen_ranks
from topology.supernode import Supernode


def analyze_all_to_all_v(
    supernode: Supernode,
    matrix: npt.ArrayLike,
    *,
    algorithm: str | Schedule = "auto",
    ranks: npt.ArrayLike | None = None,
    progress: Progress | None = None,
    **choices: Any,
) -> Analysis:
    """Analyse an all-to-all-v: how long, how near the bound, and what limits it.

    Parameters
    ----------
    supernode
        The machine.
    matrix
        Bytes from each rank to each, shape (p, p), row = sender; what a rank keeps for itself is
        on the diagonal. The size S is the mean over the rows (`mean_size`).
    algorithm
        An all-to-all algorithm, an all-to-all `Schedule`, or "auto" for the fastest.
    ranks, progress, **choices
        As in `analyze`.

    Raises
    ------
    SupernodeError
        One clear message for anything that does not fit.
    """
    chosen = chosen_ranks(ranks, len(supernode.npus))
    share = check_matrix(matrix, len(chosen))
    size = mean_size(share)
    need = PairsNeed.of(supernode, share / size if size > 0 else share, chosen)
    note = "blocks of different sizes; S is the mean over the ranks of what each sends"
    job = Job(
        "all_to_all", [chosen], size, algorithm, adapt=lambda even: uneven(even, share),
        needs=(need,), notes=(note,),
    )  # fmt: skip
    return answer(ask(supernode, [job], progress, **choices))[0]
