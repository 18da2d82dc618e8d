"""Know the stacks: which software runs collectives on which NPUs, and in which ways."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from collectives.model.collective import collective_names
from collectives.model.errors import ScheduleError
from collectives.stacks.constants import Case, Constants, all_stacks, rows_of
from collectives.stacks.files import Origin, is_stack_file, read_stack_file
from topology import border
from topology.errors import unknown_name
from topology.hardware.catalogue import Row
from topology.supernode import Supernode
from topology.text import Part, Printed, Table
from topology.units import format_size

IDEAL = "ideal"
LAUNCH = "process-per-gpu"


@dataclass(frozen=True)
class Way:
    """One way in which a stack carries out a collective.

    Attributes
    ----------
    algorithm, protocol
        As the stack calls them.
    schedule
        The library's algorithm that is the same.
    up_to
        Bytes up to which the stack takes it, where it chooses by size.
    named
        Whether it is taken only where it is asked for by name.
    """

    algorithm: str
    protocol: str
    schedule: str
    up_to: float = np.inf
    named: bool = False

    @property
    def title(self) -> str:
        """Return both in words."""
        return f"{self.algorithm} {self.protocol}".strip()


@dataclass(frozen=True, repr=False)
class Stack(Printed):
    """Software that runs collectives, on one generation of NPUs.

    Attributes
    ----------
    name
        Its name: "nccl".
    generation
        Of the NPUs it runs on: "hopper".
    constants
        What it takes.
    launch
        How its processes are launched, one of `launches`.
    origin
        The file of a user's own that it is from; None for the library's.
    """

    name: str
    generation: str
    constants: Constants
    launch: str = LAUNCH
    origin: Origin | None = None

    @property
    def title(self) -> str:
        """Return what people call it."""
        titles = (row.words for row in self.constants.rows if "title" in row.words)
        return next((own["title"] for own in titles if own["stack"] == self.name), self.name)

    def case(self, way: Way | None = None) -> Case:
        """Return what constants are asked for."""
        own = Case(generation=self.generation, launch=self.launch)
        if way is None:
            return own
        return replace(own, algorithm=way.algorithm, protocol=way.protocol)

    def launch_time(self, name: str) -> float:
        """Return seconds that a launch adds ("added") or takes at least ("floor")."""
        return self.constants.value(name, self.case())

    @property
    def launches(self) -> list[str]:
        """Return the ways to launch its processes that are known."""
        named = {LAUNCH: None}
        for row in self.constants.rows:
            if "launch" in row.words:
                named.update(dict.fromkeys(row.words["launch"].split()))
        return list(named)

    def ways(self, kind: str, domains: int) -> Iterator[Way]:
        """Yield the ways in which it carries out a collective, the first that it prefers first.

        Parameters
        ----------
        kind
            The collective's name.
        domains
            Among how many scale-up domains.
        """
        seen = set()
        for row in self.constants.rows:
            words, values = row.words, row.values
            if "schedule" not in words or kind not in words.get("collective", "").split():
                continue
            if words.get("generation") and self.generation not in words["generation"].split():
                continue
            least, most = values.get("domains", 0), values.get("domains_most", np.inf)
            for protocol in words.get("protocol", "").split() or [""]:
                way = Way(words["algorithm"], protocol, words["schedule"],
                          values.get("up_to", np.inf), words.get("use") == "named")  # fmt: skip
                if least <= domains <= most and (way.title, way.up_to) not in seen:
                    seen.add((way.title, way.up_to))
                    yield way

    @property
    def by_size(self) -> bool:
        """Whether it chooses by size alone, and not by what it believes everything takes."""
        return any("up_to" in row.values for row in self.constants.rows)

    @property
    def sources(self) -> tuple[str, ...]:
        """Return where its constants come from."""
        rows = (*self.constants.own, *self.constants.rows)
        return tuple(dict.fromkeys(row.source for row in rows))

    @property
    def fitted_on(self) -> frozenset[str]:
        """Return the measurements its constants were fitted on, as ``run@bytes``."""
        return frozenset(
            name for row in self.constants.rows for name in row.words.get("fitted_on", "").split()
            if not row.words.get("generation") or self.generation in row.words["generation"].split()
        )  # fmt: skip

    def parts(self) -> list[Part]:
        """Return what people read: what it is, what it can do, and where the numbers are from."""
        rows = [
            (name.replace("_", "-"), where, ", ".join(self._said(name, count)))
            for name in collective_names()
            for where, count in (("in a domain", 1), ("between domains", 2))
            if self._said(name, count)
        ]
        return [
            f"{self.title} on {self.generation or 'any NPU'}, launched as {self.launch}",
            Table("ways", ("collective", "", "algorithms and protocols"), rows),
            Table("sources", ("",), [(source,) for source in self.sources]),
        ]

    def _said(self, kind: str, domains: int) -> list[str]:
        return [
            way.title + (f" to {format_size(way.up_to)}" if way.up_to < np.inf else "")
            for way in self.ways(kind, domains)
        ]


def stack_names() -> list[str]:
    """Return the names of the stacks the library knows, the ideal one first."""
    return [IDEAL, *all_stacks()]


def stack(
    given: str | Stack,
    supernode: Supernode,
    ranks: Iterable[int] | None = None,
    launch: str | None = None,
) -> Stack | None:
    """Return a stack on a machine's NPUs; None for the ideal one.

    Parameters
    ----------
    given
        A name, ``"nccl:generation=hopper"``, a file that `calibrate` wrote, or a stack.
    supernode, ranks
        On whose NPUs.
    launch
        One of `Stack.launches`.

    Raises
    ------
    SupernodeError
        If there is no such stack, or it does not run on these NPUs.
    """
    if isinstance(given, Stack):
        found: Stack | None = given
    elif is_stack_file(given):
        found = _of_file(given, supernode, ranks)
    else:
        found = _known(given, supernode, ranks)
    if found is None:
        if launch is not None:
            raise ScheduleError("launch: perfect software has no launch; give stack= as well")
        return None
    if launch is None:
        return found
    return replace(found, launch=border.choice(launch, "launch", found.launches, ScheduleError))


def _known(given: object, supernode: Supernode, ranks: Iterable[int] | None) -> Stack | None:
    name, options = border.named(border.word(given, "stack"), "nccl:generation=hopper")
    if name not in stack_names():
        raise unknown_name("stack", name, stack_names())
    unknown = sorted(set(options) - {"generation"})
    if unknown:
        raise ScheduleError(f"stack {name!r} has no option {unknown[0]!r}; it takes generation=")
    if name == IDEAL:
        return None
    rows = rows_of(name)
    by_device = _generations(rows)
    known = sorted(set(by_device.values()))
    if "generation" in options:
        made = border.choice(options["generation"], "generation", known, ScheduleError)
        return Stack(name, made, Constants(rows))
    nodes, npus = supernode.graph.nodes, supernode.npus
    chosen = range(len(npus)) if ranks is None else ranks
    devices = sorted({str(nodes[npus[rank]].get("device") or "") for rank in chosen})
    found = {by_device.get(device, "") for device in devices}
    if "" in found or len(found) > 1:
        named = ", ".join(device or "NPUs without a device" for device in devices)
        raise ScheduleError(
            f"stack {name!r}: no constants for {named}; it is known on {', '.join(by_device)}. "
            "Say which are nearest: " + " or ".join(f'"{name}:generation={one}"' for one in known)
        )
    return Stack(name, found.pop(), Constants(rows))


def _of_file(given: str, supernode: Supernode, ranks: Iterable[int] | None) -> Stack:
    """Return the stack of a file: the one it is based on, with the file's constants before all."""
    file = read_stack_file(given, stack_names()[1:])
    based = _known(file.stack, supernode, ranks)
    if based is None:
        raise ScheduleError(f"{given}: perfect software has no constants")
    if file.generation and file.generation != based.generation:
        known = sorted(set(_generations(based.constants.rows).values()))
        border.choice(file.generation, f"{given}: generation", known, ScheduleError)
        based = replace(based, generation=file.generation)
    launch = border.choice(file.launch or LAUNCH, f"{given}: launch", based.launches, ScheduleError)
    constants = Constants(based.constants.rows, file.rows)
    return replace(based, constants=constants, launch=launch, origin=file.origin)


def usual_stack(supernode: Supernode, ranks: Iterable[int]) -> str:
    """Return the name of the stack that most run on some NPUs; empty where none is known."""
    nodes, npus = supernode.graph.nodes, supernode.npus
    devices = {str(nodes[npus[rank]].get("device") or "") for rank in ranks}
    for name in all_stacks():
        known = _generations(rows_of(name))
        found = {known.get(device) for device in devices}
        if len(found) == 1 and found != {None}:
            return name
    return ""


def _generations(rows: Sequence[Row]) -> Mapping[str, str]:
    """Return the generation of every device that a stack's rows name."""
    return {
        device: row.words["generation"]
        for row in rows if "devices" in row.words
        for device in row.words["devices"].split()
    }  # fmt: skip
