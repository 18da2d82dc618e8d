"""``supernode export``: keep a machine in a file that other tools read too."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from collectives.cli.commands.answer import Answer
from collectives.cli.commands.arguments import add_system, load_system
from topology.formats import write

NAME = "export"
HELP = "keep a machine in a file; node-link JSON has everything, and every command reads it"


def configure(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    add_system(parser)
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE.json", help="the file; it is replaced"
    )


def run(arguments: Namespace) -> Answer:
    """Export."""
    machine = load_system(arguments.system)
    write(machine, arguments.output)
    nodes, edges = machine.graph.number_of_nodes(), machine.graph.number_of_edges()
    first = f"{arguments.output} holds {machine.name}: {len(machine.npus):,} NPUs, {nodes:,} nodes"
    data = {
        "file": arguments.output,
        "name": machine.name,
        "npus": len(machine.npus),
        "nodes": nodes,
        "edges": edges,
    }
    return Answer([f"{first}, {edges:,} directed links"], data)
