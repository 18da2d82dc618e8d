"""``supernode bound``: what no algorithm can beat, with the proof, and what would help."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence

from collectives.bounds import (
    Bound,
    Certificate,
    CertificateError,
    Worth,
    bound,
    read_certificate,
    sensitivity,
)
from collectives.cli.commands.answer import Answer, Say, argument, command, takes_only
from collectives.cli.commands.arguments import COLLECTIVE, EXACT, RANKS, SYSTEM, size_argument
from collectives.model.collective import collective
from topology import files, units
from topology.errors import SupernodeError
from topology.supernode import Supernode
from topology.text import Part, Table, counted

_KINDS = {
    "Cut": "a cut", "Lengths": "link lengths", "PartsSum": "a sum over parts", "Nothing": "none",
}  # fmt: skip


@command(
    "bound",
    "what no algorithm can beat on a machine, with a certificate",
    SYSTEM,
    argument("collective", nargs="?", help=COLLECTIVE.options["help"]),
    RANKS,
    size_argument("--size", help="with a unit: 64MiB; by default for large sizes"),
    argument("--no-relay", action="store_true", help="NPUs pass nothing on"),
    argument("--root", type=int, default=0, help="position of the root in the ranks"),
    argument(
        "--gap", type=float, default=1.0, metavar="PERCENT",
        help="how near to come where an exact all-to-all is too much work; by default 1",
    ),
    EXACT,
    argument("--no-sensitivity", action="store_true", help="skip what links are worth"),
    argument("-o", "--output", metavar="FILE", help="write the proof, as JSON"),
    argument("--check", metavar="FILE", help="check a proof that was written, alone"),
)  # fmt: skip
def bound_command(arguments: Namespace, say: Say) -> Answer:
    """Bound, or check a proof."""
    machine, kind = arguments.system, arguments.collective
    if arguments.check is not None:
        return _checked(machine, arguments)
    if kind is None:
        raise SupernodeError("bound: say which collective, or --check FILE")
    if "root" in arguments.given and not collective(kind).rooted:
        raise SupernodeError(f"{collective(kind).title} has no root; leave out --root")
    choices = {
        "ranks": arguments.ranks, "relay": not arguments.no_relay, "root": arguments.root,
        "gap": arguments.gap / 100, "exact": arguments.exact, "progress": say,
    }  # fmt: skip
    found = bound(machine, kind, **choices)
    if arguments.size is not None:
        found = found.at(arguments.size)
    proof = found.certificate
    proof.check(machine)
    worth: tuple[Worth, ...] = ()
    if not arguments.no_sensitivity and found.seconds_per_byte > 0:
        worth = sensitivity(machine, kind, size=arguments.size, **choices)
    data = {
        "system": machine.name,
        "history": machine.history,
        "bound": found.to_dict(),
        "certificate_holds": True,
        "sensitivity": worth,
    }
    said = _parts(machine, found, worth)
    if arguments.output is not None:
        kept = {"system": machine.name, "certificate": proof.to_dict()}
        said.append(f"{files.write_text(arguments.output, json.dumps(kept))}: the proof")
    return Answer(said, data)


def _checked(machine: Supernode, arguments: Namespace) -> Answer:
    """Check a proof, and say what it proves."""
    takes_only(arguments, "a check", "system", "check")
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
    ranks = {rank for need in proof.needs for rank in need.ranks}
    who = f"{names} on {counted(len(ranks), 'rank')}"
    if not proof.claim:
        return f"The proof holds on {machine.title}: it claims nothing for {who}."
    rate = units.format_rate(1 / proof.claim)
    return f"The proof holds on {machine.title}: {who} is not faster than {rate}, by {proof.words}."


def _parts(machine: Supernode, found: Bound, worth: Sequence[Worth]) -> list[Part]:
    """Return what people read, the answer first."""
    rates = ("algbw", "busbw") if found.seconds_per_byte else ()
    facts = [
        *((name, units.format_rate(getattr(found, name))) for name in rates),
        ("latency", f"at least {units.format_time(found.latency)}, whatever the size"),
    ]
    if found.size is not None:
        facts.insert(0, ("time", units.format_time(found.time)))
    proof = found.certificate
    facts += [
        ("holds for", found.holds_for),
        ("certificate", f"{_KINDS[type(proof).__name__]}, recomputed and true: {proof.words}"),
        *(("not exact", str(one)) for one in found.approximations),
    ]
    kind, size = found.collective, found.size
    what = kind.title if size is None else kind.of(size)
    who = f"{what} on {counted(found.ranks, 'rank')} of {machine.title}"
    said: list[Part] = [f"{who}: {_limit(found)}", Table("", ("", ""), facts)]
    if large := _for_large_sizes(found):
        said.append(Table("for large sizes", ("", ""), large))
    return [*said, *([_worth_table(worth, found.size)] if worth else [])]


def _limit(found: Bound) -> str:
    """Say what no algorithm beats: a time if the size is given, else a rate."""
    if found.size is not None:
        return f"no algorithm takes less than {units.format_time(found.time)}, by {found.words}"
    if not found.seconds_per_byte:
        return "nothing is sent that bandwidth could limit"
    return f"no algorithm beats {units.format_rate(found.algbw)}, by {found.words}"


def _for_large_sizes(found: Bound) -> list[tuple[str, str]]:
    """Return what is known of sizes at which latency counts nothing."""
    facts = []
    if found.size is not None and found.seconds_per_byte:
        facts.append(("algbw", units.format_rate(found.peak)))
    if found.exact is not None:
        facts.append(("algbw, exactly", f"{found.exact} B/s"))
    if found.reached is not None:
        facts.append(("reached", f"{units.format_rate(found.reached)}: {_reached(found)}"))
    return facts


def _reached(found: Bound) -> str:
    gap = found.gap or 0.0
    if found.composed is not None:
        return "reduce-scatter, then all-gather, at their best"
    if gap < 1e-9:
        return "the bound is the optimum"
    return f"a routing is known, {100 * gap:.2g} % under the bound"


def _worth_table(worth: Sequence[Worth], size: float | None) -> Table:
    at = "for large sizes" if size is None else f"at {units.format_size(size)}"
    change = units.format_percent(worth[0].change)
    rows = [
        (
            row.name, row.medium, f"{row.links:,}",
            f"+{units.format_percent(row.gain)}", f"+{units.format_percent(row.most)}",
        )
        for row in worth
    ]  # fmt: skip
    headers = ("links", "medium", "count", "algbw rises by", "at most")
    return Table(f"what +{change} capacity is worth {at}", headers, rows)
