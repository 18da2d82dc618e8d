"""The subcommands of ``supernode``, in the order the help lists them."""

from collectives.cli.commands.bound import bound_command
from collectives.cli.commands.draw import draw_command
from collectives.cli.commands.machines import export_command, list_command
from collectives.cli.commands.moe import moe_command
from collectives.cli.commands.questions import (
    analyze_command,
    compare_command,
    faults_command,
    tune_command,
)
from collectives.cli.commands.report import report_command
from collectives.cli.commands.routing import routing_command
from collectives.cli.commands.show import show_command
from collectives.cli.commands.simulate import simulate_command
from collectives.cli.commands.stacks import calibrate_command, validate_command
from collectives.cli.commands.sweep import sweep_command

COMMANDS = (
    list_command, show_command, analyze_command, bound_command, compare_command, draw_command,
    report_command, export_command, tune_command, sweep_command, moe_command, faults_command,
    simulate_command, routing_command, calibrate_command, validate_command,
)  # fmt: skip
