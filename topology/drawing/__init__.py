"""Draw machines: pure layouts, and matplotlib to put them on a page."""

from topology.calls import check_calls
from topology.drawing.bundles import Bundle, BundleClass
from topology.drawing.canvas import FORMATS, check_format, save
from topology.drawing.coordinates import Arrangement, arrange
from topology.drawing.grouping import MOST_GLYPHS, Glyph, gather
from topology.drawing.picture import draw
from topology.drawing.rack_plan import RackPlan, plan_racks
from topology.drawing.racks import draw_racks
from topology.drawing.style import STYLES, DrawStyle, draw_style
from topology.drawing.view import Picture, describe

__all__ = [
    "FORMATS",
    "MOST_GLYPHS",
    "STYLES",
    "Arrangement",
    "Bundle",
    "BundleClass",
    "DrawStyle",
    "Glyph",
    "Picture",
    "RackPlan",
    "arrange",
    "check_format",
    "describe",
    "draw",
    "draw_racks",
    "draw_style",
    "gather",
    "plan_racks",
    "save",
]

check_calls(__name__)
