"""``supernode bound``: what no algorithm can beat, with the proof, and what would help."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from collectives.bounds import (
    Bound,
    Certificate,
    CertificateError,
    Worth,
    bound,
    read_certificate,
    sensitivity,
)
from collectives.cli.commands.answer import Answer
from collectives.cli.commands.arguments import add_ranks, add_system, load_system, parse_ranks
from collectives.cli.commands.progress import progress_bar
from topology import files, units
from topology.errors import SupernodeError
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
    parser.add_argument(
        "collective", nargs="?", help="all-gather, all-to-all, all-reduce, broadcast, ..."
    )
    add_ranks(parser)
    parser.add_argument("--size", help="with a unit: 64MiB; by default for large sizes")
    parser.add_argument("--no-relay", action="store_true", help="NPUs pass nothing on")
    parser.add_argument("--root", type=int, default=0, help="position of the root in the ranks")
    parser.add_argument(
        "--gap", type=float, default=1.0, metavar="PERCENT",
        help="how near to come where an exact all-to-all is too much work; by default 1",
    )  # fmt: skip
    parser.add_argument("--exact", action="store_true", help="refuse, instead of approximating")
    parser.add_argument("--no-sensitivity", action="store_true", help="skip what links are worth")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the proof, as JSON")
    parser.add_argument("--check", metavar="FILE", help="check a proof that was written, alone")


def run(arguments: Namespace) -> Answer:
    """Bound, or check a proof."""
    machine = load_system(arguments.system)
    if arguments.check is not None:
        return _checked(machine, arguments)
    if arguments.collective is None:
        raise SupernodeError("bound: say which collective, or --check FILE")
    ranks = parse_ranks(arguments.ranks)
    choices = {
        "relay": not arguments.no_relay, "root": arguments.root, "gap": arguments.gap / 100,
        "exact": arguments.exact,
    }  # fmt: skip
    with progress_bar() as progress:
        found = bound(machine, arguments.collective, ranks, progress=progress, **choices)
        if arguments.size is not None:
            found = found.at(units.parse_size(arguments.size))
        proof = found.certificate
        proof.check(machine)
        worth: tuple[Worth, ...] = ()
        if not arguments.no_sensitivity and found.seconds_per_byte > 0:
            worth = sensitivity(machine, arguments.collective, ranks, progress=progress, **choices)
    data = {
        "system": machine.name,
        "history": list(machine.history),
        "bound": found.to_dict(),
        "certificate_holds": True,
        "sensitivity": [asdict(row) for row in worth],
    }
    said = parts(machine, found, worth)
    if arguments.output is not None:
        kept = {"system": machine.name, "certificate": proof.to_dict()}
        said.append(f"{files.write_text(arguments.output, json.dumps(kept))}: the proof")
    return Answer(said, data)


def _checked(machine: Supernode, arguments: Namespace) -> Answer:
    """Check a proof, and say what it proves."""
    if arguments.collective is not None:
        raise SupernodeError("bound: --check FILE says itself which collective it is about")
    data = files.read_json(files.read_text(arguments.check), arguments.check)
    for key in ("bound", "certificate"):
        data = data.get(key, data) if isinstance(data, dict) else data
    proof = read_certificate(data)
    try:
        proof.check(machine)
    except CertificateError as error:
        raise CertificateError(f"{arguments.check} does not hold: {error}") from error
    return Answer([_proven(machine, proof)], {"system": machine.name, "holds": True, **data})


def _proven(machine: Supernode, proof: Certificate) -> str:
    asked = [getattr(need, "collective", "uneven exchange") for need in proof.needs]
    names = " and ".join(dict.fromkeys(name.replace("_", "-") for name in asked)) or "nothing"
    who = f"{names} on {len({r for need in proof.needs for r in need.ranks}):,} ranks"
    if not proof.claim:
        return f"The proof holds on {machine.name}: it claims nothing for {who}."
    rate = units.format_rate(1 / proof.claim)
    return f"The proof holds on {machine.name}: {who} is not faster than {rate}, by {proof.words}."


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
    facts += [("not exact", str(one)) for one in found.approximations]
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
    return f"a routing is known, {100 * gap:.2g} % under the bound"


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
