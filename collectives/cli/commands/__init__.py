"""The subcommands of ``supernode``, a module each."""

from collectives.cli.commands import (
    analyze,
    bound,
    compare,
    draw,
    export,
    faults,
    listing,
    moe,
    report,
    show,
    sweep,
    tune,
)

COMMANDS = (
    listing, show, analyze, bound, compare, draw, report, export, tune, sweep, moe, faults,
)  # fmt: skip
"""Every command, in the order the help lists them; each follows `answer.Command`."""
