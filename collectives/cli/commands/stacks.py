"""``supernode calibrate`` and ``validate``: stacks beside what was measured."""

from __future__ import annotations

from argparse import Namespace

from collectives.cli.commands.answer import Answer, Result, Say, argument, command
from collectives.cli.commands.arguments import COLLECTIVE, STACK, SYSTEM
from collectives.validation import calibrate, validate


@command(
    "calibrate",
    "fit a stack to a curve you measured, for --stack",
    SYSTEM,
    COLLECTIVE,
    argument(
        "--measured", required=True, metavar="FILE",
        help="output of nccl-tests or rccl-tests, or CSV",
    ),
    *STACK,
    argument("--algorithm", default="auto", help="by default what the stack chooses"),
    argument("--ranks", type=int, metavar="N", help="how many took part, the first of the machine"),
    argument("-o", "--output", metavar="FILE", help="write the stack file, ending in .toml"),
)  # fmt: skip
def calibrate_command(arguments: Namespace, say: Say) -> Answer:
    """Calibrate, and write the stack file."""
    found = calibrate(
        arguments.system, arguments.measured, collective=arguments.collective,
        stack=arguments.stack or "nccl", ranks=arguments.ranks, launch=arguments.launch,
        algorithm=arguments.algorithm, progress=say,
    )  # fmt: skip
    said = found.parts()
    if arguments.output is not None:
        said.append(f"{found.write(arguments.output)}: a stack, for --stack")
    return Answer(said, found.to_dict())


@command(
    "validate",
    "every published measurement beside the model, and how far it is off",
    argument("--stack", metavar="NAME", help="only those of one stack"),
)
def validate_command(arguments: Namespace, say: Say) -> Result:
    """Validate."""
    return validate(arguments.stack, progress=say)
