"""From graph to bottleneck in a few lines: CloudMatrix384 against GB200 NVL72."""

from __future__ import annotations

import collectives
import topology
from topology.units import MiB


def main() -> None:
    """Print what limits all-to-all and all-reduce on both machines, and after a fault."""
    for machine in (topology.cloudmatrix384(), topology.gb200_nvl72()):
        for kind in ("all_to_all", "all_reduce"):
            answer = collectives.analyze(machine, kind, 64 * MiB)
            print(f"{machine.name}: {answer.bottleneck.sentence}")
            print(f"  {answer.time * 1e6:.1f} us, {answer.efficiency:.1%} of the bound")

    whole = topology.cloudmatrix384()
    damaged = whole.without(nodes=["l2/3/5"])
    answer = collectives.analyze(damaged, "all_to_all", 64 * MiB)
    print(f"with the switch chip l2/3/5 dead: {answer.bottleneck.sentence}")


if __name__ == "__main__":
    main()
