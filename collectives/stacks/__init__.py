"""What the libraries people run add to the hardware: overheads, protocols, and their own choice."""

from __future__ import annotations

from collectives.stacks.deployed import MADE_FOR as MADE_FOR
from collectives.stacks.deployed import Deployed as Deployed
from collectives.stacks.deployed import Shape as Shape
from collectives.stacks.deployed import deploy as deploy
from collectives.stacks.deployed import deployed_like as deployed_like
from collectives.stacks.deployed import shape_of as shape_of
from collectives.stacks.domains import domains as domains
from collectives.stacks.errors import CLASSES as CLASSES
from collectives.stacks.errors import KnownError as KnownError
from collectives.stacks.errors import known_error as known_error
from collectives.stacks.errors import size_class as size_class
from collectives.stacks.stack import IDEAL as IDEAL
from collectives.stacks.stack import Stack as Stack
from collectives.stacks.stack import Way as Way
from collectives.stacks.stack import stack as stack
from collectives.stacks.stack import stack_names as stack_names
from collectives.stacks.stack import usual_stack as usual_stack
