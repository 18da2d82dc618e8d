"""Make every picture of several machines: python examples/gallery.py FOLDER [MACHINE...].

With ``--readme`` only the three pictures of the README are made, in examples/pictures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from matplotlib.figure import Figure

import collectives
import topology
from collectives import plots
from topology import Supernode, drawing
from topology.units import GB, GiB, KiB, MiB

MOST_RANKS = 512
README = Path(__file__).parent / "pictures"


def damaged_cloudmatrix384() -> Supernode:
    """Return CloudMatrix384 with half of plane 0's L2 chips and one L1 chip dead."""
    dead = [f"l2/0/{j}" for j in range(8)]
    return topology.cloudmatrix384().without(nodes=[*dead, "l1/5/3"])


MACHINES: dict[str, Callable[[], Supernode]] = {
    "cloudmatrix384": topology.cloudmatrix384,
    "damaged": damaged_cloudmatrix384,
    "nvl72": topology.gb200_nvl72,
    "dgx-h100": lambda: topology.dgx_h100(nodes=16),
    "torus": lambda: topology.torus((8, 8), link=50 * GB),
    "dragonfly": lambda: topology.dragonfly(2, 4, 2, link=50 * GB),
    "atlas-950": lambda: topology.system("atlas-950"),
}


def pictures(machine: Supernode) -> Iterator[tuple[str, Figure]]:
    """Yield every picture of a machine with its name."""
    yield "machine", topology.draw(machine)[0]
    yield "racks", drawing.draw_racks(machine)[0]
    ranks = range(min(len(machine.npus), MOST_RANKS))
    large, small = (
        collectives.analyze(machine, "all_to_all", size, algorithm="direct", ranks=ranks)
        for size in (64 * MiB, 4 * KiB)
    )
    yield "fabric", plots.plot_fabric(large)[0]
    yield "loads", plots.plot_loads(large)[0]
    yield "distribution", plots.plot_distribution(large)[0]
    yield "latency", plots.plot_latency(small)[0]
    yield "traffic", plots.plot_traffic(large)[0]
    yield "steps", plots.plot_steps(large)[0]
    yield "gantt", plots.plot_gantt(simulated(machine, ranks))[0]
    yield "bandwidth", plots.plot_bandwidth(large)[0]
    if len(machine.npus) <= 384:
        yield "failures", plots.plot_failures(large)[0]


def simulated(machine: Supernode, ranks: range) -> collectives.Simulation:
    """Return an all-reduce and an all-to-all that share the links of a machine."""
    jobs = [
        collectives.Job(kind, [ranks], 64 * MiB, "direct") for kind in ("all_reduce", "all_to_all")
    ]
    return collectives.simulate(machine, jobs)


def readme_pictures() -> Iterator[tuple[str, Figure]]:
    """Yield the pictures of the README: where it jams, a bad plane, and how fast by size."""
    hurt = damaged_cloudmatrix384()
    jammed = collectives.analyze(hurt, "all_to_all", 64 * MiB, algorithm="direct")
    yield "fabric", plots.plot_fabric(jammed)[0]
    yield "loads", plots.plot_loads(jammed)[0]
    machines = (topology.cloudmatrix384(), topology.gb200_nvl72(), topology.dgx_h100(nodes=16))
    fast = [collectives.analyze(machine, "all_reduce", GiB) for machine in machines]
    yield "bandwidth", plots.plot_bandwidth(fast)[0]


def main(arguments: Sequence[str] | None = None) -> list[Path]:
    """Make the pictures and return where they are."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    made = []
    if "--readme" in words:
        README.mkdir(exist_ok=True)
        for name, figure in readme_pictures():
            made.append(drawing.save(figure, README / f"{name}.png", dpi=80))
        return made
    folder = Path(words[0] if words else "gallery")
    folder.mkdir(parents=True, exist_ok=True)
    for chosen in words[1:] or MACHINES:
        for name, figure in pictures(MACHINES[chosen]()):
            made.append(drawing.save(figure, folder / f"{chosen}-{name}.png"))
            print(made[-1])
    return made


if __name__ == "__main__":
    main()
