"""What can be wrong with a schedule."""

from __future__ import annotations

from topology.errors import SupernodeError


class ScheduleError(SupernodeError):
    """A schedule that cannot be made, or that is wrong."""


class DoesNotFitError(ScheduleError):
    """An algorithm that does not suit these ranks or this machine; another may."""
