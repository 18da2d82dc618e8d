"""``supernode moe``: dispatch and combine of a mixture of experts."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from collectives.cli.commands.answer import Result, Say, argument, command
from collectives.cli.commands.arguments import MODEL, RANKS, STACK, SYSTEM, model
from collectives.workloads.moe import analyze_moe, scale_experts
from collectives.workloads.moe_traffic import MoELayer, skewed_load
from topology import border
from topology.errors import SupernodeError

_LAYER: dict[str, tuple[float, str]] = {
    "tokens": (128, "on each rank; by default 128"),
    "hidden": (7168, "elements of a token: 7168"),
    "top_k": (8, "experts of a token: 8"),
    "experts": (256, "in all: 256"),
    "expert_groups": (8, "of equal size: 8"),
    "top_groups": (4, "that a token uses: 4"),
    "dispatch_element": (1.0, "bytes: 1, FP8"),
    "combine_element": (2.0, "bytes: 2, BF16"),
    "scale_block": (128, "elements to a scale: 128"),
}
"""Fields of a `MoELayer`: the default, DeepSeek-V3's, and what the help says."""


@command(
    "moe",
    "dispatch and combine of a mixture of experts, on one or several numbers of ranks",
    SYSTEM,
    argument(
        "--ep", metavar="64,320", help="numbers of ranks; by default all",
        read=lambda text: border.counts(text, "--ep"),
    ),
    *(
        argument(f"--{name.replace('_', '-')}", type=type(usual), default=usual, help=told)
        for name, (usual, told) in _LAYER.items()
    ),
    argument("--dedup", default="none", help="send once for every: none, rank, node"),
    argument("--algorithm", help="of the all-to-all, or auto; by default direct"),
    argument("--skew", type=float, default=0.0, help="spread of the experts' load: 0"),
    argument("--seed", type=int, help="draw tokens and load with this seed"),
    *MODEL,
    *STACK,
    RANKS,
)  # fmt: skip
def moe_command(arguments: Namespace, say: Say) -> Result:
    """Analyse one number of ranks, or several."""
    layer = MoELayer(**{name: getattr(arguments, name) for name in _LAYER})
    options: dict[str, Any] = {
        name: getattr(arguments, name) for name in ("dedup", "algorithm", "seed")
    }
    options |= {"progress": say, **model(arguments)}
    if arguments.skew:
        options["load"] = skewed_load(layer.experts, arguments.skew, arguments.seed or 0)
    if arguments.ep is None:
        return analyze_moe(arguments.system, layer, ranks=arguments.ranks, **options)
    if arguments.ranks is not None:
        raise SupernodeError("--ep takes the first ranks; leave out --ranks, or --ep")
    return scale_experts(arguments.system, layer, arguments.ep, **options)
