"""Write a collective algorithm of your own, prove it, and see what limits it."""

from __future__ import annotations

import numpy as np

import collectives
import topology
from collectives import DoesNotFitError, Schedule, ScheduleError, Step, Team, Transfers


def skipping_ring(team: Team) -> Schedule:
    """All-reduce over two rings at once: even blocks go round by 1 rank, odd ones by 3."""
    p = team.size
    if p % 3 == 0 or p % 2:
        # "auto" passes over what does not fit; any other error is shown
        need = "an even number of ranks, no multiple of 3"
        raise DoesNotFitError(f"skipping_ring needs {need}, and there are {p}")
    rank = np.arange(p)
    block = np.stack([2 * rank, 2 * rank + 1])  # even blocks start at a rank, odd ones too
    hop = np.array([[1], [3]])

    def move(t: int) -> Transfers:
        reduce = t < p - 1
        source = (rank - hop * (t + 1 if reduce else t - p + 1)) % p  # whose block it is
        chunk = np.take_along_axis(block, source, axis=1)
        src, dst = np.broadcast_to(rank, (2, p)), (rank + hop) % p
        return Transfers(src.ravel(), dst.ravel(), chunk.ravel(), reduce=reduce)

    steps = (Step(move, repeat=2 * (p - 1)),)
    return Schedule("skipping_ring", collectives.collective("all_reduce"), p, 2 * p, steps)


def main() -> None:
    """Register it, prove it, and set it beside the ring."""
    collectives.register("all_reduce", "skipping_ring", skipping_ring)
    machine = topology.dgx_h100(1)
    schedule = collectives.make_schedule(machine, "all_reduce", algorithm="skipping_ring")
    collectives.verify(schedule)  # every contribution in every block exactly once
    data = np.random.default_rng(0).integers(0, 1000, (8, 32))
    result = collectives.execute(schedule, data)
    print(f"{schedule.name}: proven; every rank has the sum: {(result == data.sum(axis=0)).all()}")
    for name in ("skipping_ring", "ring"):
        answer = collectives.analyze(machine, "all_reduce", "64 MiB", algorithm=name)
        print(f"{name}: {answer.time * 1e6:.1f} us; {answer.bottleneck.sentence}")

    short = Step(schedule.steps[0].transfers, repeat=schedule.step_count - 1)
    wrong = Schedule("hasty", schedule.collective, 8, 16, (short,))
    try:
        collectives.analyze(machine, "all_reduce", "64 MiB", algorithm=wrong)
    except ScheduleError as error:
        print(f"refused: {error}")


if __name__ == "__main__":
    main()
