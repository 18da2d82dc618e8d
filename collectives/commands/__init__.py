"""The subcommands of ``supernode``, a module each."""

from collectives.commands import analyze, listing, show

COMMANDS = (listing, show, analyze)
"""Every command, in the order the help lists them; each follows `answer.Command`."""
