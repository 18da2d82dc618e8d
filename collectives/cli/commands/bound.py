"""``supernode bound``: what no algorithm can beat, with the proof, and what would help."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from collectives.bounds import Bound, Worth, bound, sensitivity
from collectives.cli.commands.answer import Answer
from collectives.cli.commands.arguments import add_ranks, add_system, load_system, parse_ranks
from collectives.cli.commands.progress import progress_bar
from topology import units
from topology.supernode import Supernode
from topology.text import Part, Table

NAME = "bound"
_KINDS = {
    "Cut": "a cut", "Lengths": "link lengths", "PartsSum": "a sum over parts", "Nothing": "none",
}  # fmt: skip
HELP = "what no algorithm can beat on a machine, with a certificate"


def configure(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    add_system(parser)
    parser.add_argument("collective", help="all-gather, all-to-all, all-reduce, broadcast, ...")
    add_ranks(parser)
    parser.add_argument("--size", help="with a unit: 64MiB; by default for large sizes")
    parser.add_argument("--no-relay", action="store_true", help="NPUs pass nothing on")
    parser.add_argument("--root", type=int, default=0, help="position of the root in the ranks")
    parser.add_argument(
        "--gap", type=float, default=1.0, metavar="PERCENT",
        help="how near to come where an exact all-to-all is too much work; by default 1",
    )  # fmt: skip
    parser.add_argument("--no-sensitivity", action="store_true", help="skip what links are worth")


def run(arguments: Namespace) -> Answer:
    """Bound."""
    machine = load_system(arguments.system)
    ranks = parse_ranks(arguments.ranks)
    choices = {
        "relay": not arguments.no_relay, "root": arguments.root, "gap": arguments.gap / 100,
    }  # fmt: skip
    with progress_bar() as progress:
        found = bound(machine, arguments.collective, ranks, progress=progress, **choices)
        if arguments.size is not None:
            found = found.at(units.parse_size(arguments.size))
        checked = found.certificate.check(machine)
        worth: tuple[Worth, ...] = ()
        if not arguments.no_sensitivity and found.seconds_per_byte > 0:
            worth = sensitivity(machine, arguments.collective, ranks, progress=progress, **choices)
    data = {
        "system": machine.name,
        "history": list(machine.history),
        "bound": found.to_dict(),
        "certificate_holds": checked,
        "sensitivity": [asdict(row) for row in worth],
    }
    return Answer(parts(machine, found, worth), data)


def parts(machine: Supernode, found: Bound, worth: tuple[Worth, ...]) -> list[Part]:
    """Return what people read, the answer first.

    Parameters
    ----------
    machine
        What was bounded.
    found
        The bound.
    worth
        What its links are worth; may be empty.
    """
    facts = [
        ("algbw", units.format_rate(found.algbw)),
        ("busbw", units.format_rate(found.busbw)),
        ("latency", f"at least {units.format_time(found.latency)}, whatever the size"),
    ]
    if found.size is not None:
        facts.insert(0, ("time", f"{units.format_time(found.time)} for {_size(found.size)}"))
    if found.exact is not None:
        facts.append(("algbw, exactly", f"{found.exact} B/s"))
    if found.reached is not None:
        facts.append(("reached", f"{units.format_rate(found.reached)}: {_reached(found)}"))
    facts += [
        ("holds for", found.holds_for),
        ("certificate", f"{_KINDS[type(found.certificate).__name__]}, recomputed and true: "
                        f"{found.certificate.words}"),
    ]  # fmt: skip
    made: list[Part] = [_sentence(machine, found), Table("", ("", ""), facts)]
    if worth:
        made.append(_worth_table(worth))
    return made


def _size(size: float) -> str:
    return units.format_size(size)


def _sentence(machine: Supernode, found: Bound) -> str:
    who = f"{found.collective.title} on {found.ranks} ranks of {machine.name}"
    if found.seconds_per_byte == 0:
        return f"{who}: nothing is sent that bandwidth could limit"
    return f"{who}: no algorithm beats {units.format_rate(found.algbw)}, by {found.words}"


def _reached(found: Bound) -> str:
    gap = found.gap or 0.0
    if found.composed is not None:
        return "reduce-scatter, then all-gather, at their best"
    if gap < 1e-9:
        return "the bound is the optimum"
    return f"a routing is known at {units.format_percent(1 - gap)} of the bound"


def _worth_table(worth: tuple[Worth, ...]) -> Table:
    change = units.format_percent(worth[0].change)
    rows = [
        (
            row.name, row.medium, f"{row.links:,}",
            f"+{units.format_percent(row.gain)}", f"+{units.format_percent(row.most)}",
        )
        for row in worth
    ]  # fmt: skip
    headers = ("links", "medium", "count", "algbw rises by", "at most")
    return Table(f"what +{change} capacity is worth", headers, rows)
