"""``supernode moe``: dispatch and combine of a mixture of experts."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from collectives.cli.commands.answer import Answer
from collectives.cli.commands.arguments import add_ranks, add_system, load_system, parse_ranks
from collectives.cli.commands.options import add_model, model_choices
from collectives.workloads.moe import analyze_moe, scale_experts
from collectives.workloads.moe_traffic import MoELayer, skewed_load
from topology import border
from topology.errors import SupernodeError

NAME = "moe"
HELP = "dispatch and combine of a mixture of experts, on one or several numbers of ranks"


def configure(parser: ArgumentParser) -> None:
    """Add the command's arguments; the layer's default is DeepSeek-V3's."""
    add_system(parser)
    parser.add_argument("--ep", metavar="64,320", help="numbers of ranks; by default all")
    parser.add_argument("--tokens", type=int, default=128, help="on each rank; by default 128")
    parser.add_argument("--hidden", type=int, default=7168, help="elements of a token: 7168")
    parser.add_argument("--top-k", type=int, default=8, help="experts of a token: 8")
    parser.add_argument("--experts", type=int, default=256, help="in all: 256")
    parser.add_argument("--expert-groups", type=int, default=8, help="of equal size: 8")
    parser.add_argument("--top-groups", type=int, default=4, help="that a token uses: 4")
    parser.add_argument("--dispatch-element", type=float, default=1.0, help="bytes: 1, FP8")
    parser.add_argument("--combine-element", type=float, default=2.0, help="bytes: 2, BF16")
    parser.add_argument("--scale-block", type=int, default=128, help="elements to a scale: 128")
    parser.add_argument("--dedup", default="none", help="send once for every: none, rank, node")
    parser.add_argument("--algorithm", default="direct", help="of the all-to-all; or auto")
    parser.add_argument("--skew", type=float, default=0.0, help="spread of the experts' load: 0")
    parser.add_argument("--seed", type=int, help="draw tokens and load with this seed")
    add_model(parser)
    add_ranks(parser)


def run(arguments: Namespace) -> Answer:
    """Analyse one number of ranks, or several."""
    layer = _layer(arguments)
    options: dict[str, Any] = {
        "dedup": arguments.dedup,
        "algorithm": arguments.algorithm,
        "seed": arguments.seed,
        **model_choices(arguments),
    }
    if arguments.skew:
        options["load"] = skewed_load(layer.experts, arguments.skew, arguments.seed or 0)
    machine, ranks = load_system(arguments.system), parse_ranks(arguments.ranks)
    if arguments.ep is None:
        one = analyze_moe(machine, layer, ranks=ranks, **options)
        return Answer(one.parts(), one.to_dict())
    if ranks is not None:
        raise SupernodeError("--ep takes the first ranks; leave out --ranks, or --ep")
    many = scale_experts(machine, layer, border.counts(arguments.ep, "--ep"), **options)
    return Answer(many.parts(), many.to_dict())


def _layer(arguments: Namespace) -> MoELayer:
    return MoELayer(
        tokens=arguments.tokens,
        hidden=arguments.hidden,
        top_k=arguments.top_k,
        experts=arguments.experts,
        expert_groups=arguments.expert_groups,
        top_groups=arguments.top_groups,
        dispatch_element=arguments.dispatch_element,
        combine_element=arguments.combine_element,
        scale_block=arguments.scale_block,
    )
