"""``supernode list`` and ``export``: the machines of the catalogue, and any as a file."""

from __future__ import annotations

from argparse import Namespace

from collectives.cli.commands.answer import Answer, Say, argument, command
from collectives.cli.commands.arguments import SYSTEM
from topology import units
from topology.formats import write
from topology.registry import plugin_faults
from topology.systems import system_names
from topology.systems.catalogue import SYSTEMS, default_entry
from topology.text import Table, counted


@command("list", "the machines of the catalogue")
def list_command(_: Namespace, __: Say) -> Answer:
    """List."""
    data, rows = [], []
    for name in system_names():
        entry = default_entry(name)
        npus, rate = (entry.figure(what) if entry else None for what in ("npus", "npu_bandwidth"))
        title = entry.title if entry else ""
        data.append({
            "name": name, "title": title, "npus": int(npus.value) if npus else None,
            "npu_bandwidth_Bps": rate.value if rate else None,
        })  # fmt: skip
        said = units.format_rate(rate.value) if rate else ""
        rows.append((name, title, f"{npus.value:,.0f}" if npus else "", said))
    first = f"{len(rows)} machines; `supernode show NAME` tells what one is made of"
    headers = ("name", "machine", "NPUs", "scale-up per NPU, one way")
    broken = [fault for fault in plugin_faults(SYSTEMS.group).values() if fault]
    return Answer([first, Table("", headers, rows), *broken], {"systems": data})


@command(
    "export",
    "keep a machine in a file; node-link JSON has everything, and every command reads it",
    SYSTEM,
    argument("-o", "--output", required=True, metavar="FILE.json", help="the file; it is replaced"),
)
def export_command(arguments: Namespace, _: Say) -> Answer:
    """Export."""
    machine, file = arguments.system, arguments.output
    write(machine, file)
    npus, nodes, edges = len(machine.npus), len(machine.graph), machine.graph.number_of_edges()
    counts = ((npus, "NPU"), (nodes, "node"), (edges, "directed link"))
    said = f"{file} holds {machine.title}: {', '.join(counted(*one) for one in counts)}"
    data = {"file": file, "name": machine.name, "npus": npus, "nodes": nodes, "edges": edges}
    return Answer([said], data)
