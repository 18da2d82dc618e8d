"""Draw machines: pure layouts, and matplotlib to put them on a page."""

from topology.calls import check_calls
from topology.drawing.bundles import Bundle as Bundle
from topology.drawing.bundles import BundleClass as BundleClass
from topology.drawing.canvas import FORMATS as FORMATS
from topology.drawing.canvas import check_format as check_format
from topology.drawing.canvas import save as save
from topology.drawing.coordinates import Arrangement as Arrangement
from topology.drawing.coordinates import arrange as arrange
from topology.drawing.grouping import MOST_GLYPHS as MOST_GLYPHS
from topology.drawing.grouping import Glyph as Glyph
from topology.drawing.grouping import gather as gather
from topology.drawing.picture import draw as draw
from topology.drawing.rack_plan import RackPlan as RackPlan
from topology.drawing.rack_plan import plan_racks as plan_racks
from topology.drawing.racks import draw_racks as draw_racks
from topology.drawing.style import STYLES as STYLES
from topology.drawing.style import DrawStyle as DrawStyle
from topology.drawing.style import draw_style as draw_style
from topology.drawing.view import Picture as Picture
from topology.drawing.view import describe as describe

check_calls(__name__)
