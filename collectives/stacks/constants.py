"""Look up a stack's constants: rows that hold for more or fewer cases, the closest one counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from topology.hardware.catalogue import Row, load_rows

WORDS = (
    "stack", "title", "generation", "devices", "use", "launch", "collective", "algorithm",
    "protocol", "network", "schedule", "fitted_on", "correction", "grid",
)  # fmt: skip
_CASES = ("generation", "use", "launch", "collective", "algorithm", "protocol", "network")


@dataclass(frozen=True)
class Case:
    """What a constant is asked for.

    Attributes
    ----------
    collective, algorithm, protocol
        By name, as in the rows.
    domains
        Among how many scale-up domains.
    piece
        Bytes of a call for each channel of each head: chunks depend on it.
    use
        "time" for what it takes, "tuner" for what the stack itself believes when it chooses.
    launch
        How the processes are launched.
    generation
        Of the NPUs.
    network
        Link type of the NICs; empty inside a domain.
    """

    collective: str = ""
    algorithm: str = ""
    protocol: str = ""
    domains: int = 1
    piece: float = 0.0
    use: str = "time"
    launch: str = ""
    generation: str = ""
    network: str = ""


@dataclass(frozen=True)
class Constants:
    """The rows of one stack, those that count for more first; a user's own before all others."""

    rows: tuple[Row, ...]
    own: tuple[Row, ...] = ()

    def find(self, name: str, case: Case) -> Row | None:
        """Return the closest row that has a number, or None; of equals the first."""
        for rows in (self.own, self.rows):
            fits = [row for row in rows if name in row.values and _holds(row, case)]
            if fits:
                return max(fits, key=_closeness)
        return None

    def value(self, name: str, case: Case, default: float = 0.0) -> float:
        """Return a number in SI units, or the default where no row has one."""
        row = self.find(name, case)
        return default if row is None else row.values[name]

    def word(self, name: str, case: Case) -> str:
        """Return a word, or an empty one where no row has one."""
        fits = [row for row in self.rows if name in row.words and _holds(row, case)]
        row = max(fits, key=_closeness, default=None)
        return "" if row is None else row.words[name]

    def where(self, wanted: Callable[[Row], bool]) -> Iterable[Row]:
        """Return the rows of a sort, in order."""
        return filter(wanted, self.rows)


def _holds(row: Row, case: Case) -> bool:
    """Tell whether a row is for a case; a cell may list several words."""
    named = all(
        getattr(case, name) in row.words[name].split() for name in _CASES if name in row.words
    )
    least, most = row.values.get("domains", 0), row.values.get("domains_most", float("inf"))
    return named and least <= case.domains <= most and case.piece < row.values.get(
        "piece_below", float("inf")
    )  # fmt: skip


def _closeness(row: Row) -> tuple[float, int, float]:
    """Return how narrow a row is: its limit of size, how many words it is tied to, then domains."""
    tied = sum(name in row.words for name in _CASES)
    return -row.values.get("piece_below", float("inf")), tied, row.values.get("domains", 0)


def rows_of(stack: str) -> tuple[Row, ...]:
    """Return the rows of the library's own stack; none if there is none by that name.

    "nccl+sharp" has the rows of "nccl" as well.
    """
    names = {stack, stack.partition("+")[0]}
    return tuple(row for row in load_rows("stacks.csv", WORDS) if row.words["stack"] in names)


def all_stacks() -> list[str]:
    """Return the names of the library's own stacks, in the order of the file."""
    return list(dict.fromkeys(row.words["stack"] for row in load_rows("stacks.csv", WORDS)))
