"""What people measured beside what the model says, and stacks fitted to a curve of one's own."""

from __future__ import annotations

from collectives.validation.measurements import Measurement as Measurement
from collectives.validation.measurements import measurements as measurements
from collectives.validation.validate import Validation as Validation
from collectives.validation.validate import validate as validate
