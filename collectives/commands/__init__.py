"""The subcommands of ``supernode``, a module each."""

from collectives.commands import analyze, compare, draw, export, listing, show

COMMANDS = (listing, show, analyze, compare, draw, export)
"""Every command, in the order the help lists them; each follows `answer.Command`."""
