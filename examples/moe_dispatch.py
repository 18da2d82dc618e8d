"""EP64 to EP320 on CloudMatrix384: how long dispatch and combine take, and what limits them."""

from __future__ import annotations

import topology
from collectives.workloads.moe import analyze_moe, scale_experts
from collectives.workloads.moe_traffic import deepseek_v3, skewed_load


def main() -> None:
    """Print the scaling, then what imbalance and sending once to a node change."""
    machine = topology.cloudmatrix384()
    decode = deepseek_v3(tokens=128)
    print(scale_experts(machine, decode, [64, 128, 256, 320]))

    skewed = skewed_load(decode.experts, 0.5, seed=1)
    even = analyze_moe(machine, decode, ranks=range(64))
    hot = analyze_moe(machine, decode, ranks=range(64), load=skewed)
    print(
        f"\nEP64 with uneven experts: the busiest rank gets {hot.copies.imbalance:.2f} times the "
        f"mean, dispatch takes {hot.dispatch.time / even.dispatch.time:.2f} times as long"
    )

    prefill = deepseek_v3(tokens=4096)
    cluster = topology.dgx_h100(8)
    for where in (machine, cluster):
        times = {
            dedup: analyze_moe(where, prefill, ranks=range(64), dedup=dedup).dispatch.time
            for dedup in ("none", "node")
        }
        gain = times["none"] / times["node"]
        print(f"sending a token once to a node, EP64 on {where.name}: {gain:.2f} times as fast")


if __name__ == "__main__":
    main()
