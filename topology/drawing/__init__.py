"""Draw machines: pure layouts, and matplotlib to put them on a page."""

from topology.drawing.bundles import Bundle, BundleClass
from topology.drawing.canvas import FORMATS, check_format, save
from topology.drawing.grouping import MOST_GLYPHS, Glyph, gather
from topology.drawing.picture import Picture, describe, draw
from topology.drawing.style import STYLES, DrawStyle, draw_style

__all__ = [
    "FORMATS",
    "MOST_GLYPHS",
    "STYLES",
    "Bundle",
    "BundleClass",
    "DrawStyle",
    "Glyph",
    "Picture",
    "check_format",
    "describe",
    "draw",
    "draw_style",
    "gather",
    "save",
]
