"""The subcommands of ``supernode``, a module each."""

from collectives.commands import analyze, listing

COMMANDS = (listing, analyze)
"""Every command, in the order the help lists them; each follows `answer.Command`."""
