"""What people measured beside what the model says, and stacks fitted to a curve of one's own."""

from __future__ import annotations

from collectives.validation.calibrate import Calibration as Calibration
from collectives.validation.calibrate import calibrate as calibrate
from collectives.validation.curves import Curve as Curve
from collectives.validation.curves import CurveError as CurveError
from collectives.validation.curves import read_curve as read_curve
from collectives.validation.measurements import Measurement as Measurement
from collectives.validation.measurements import measurements as measurements
from collectives.validation.validate import Validation as Validation
from collectives.validation.validate import validate as validate
