"""Which nodes, links and traffics of a machine are interchangeable."""

from topology.symmetry.colouring import Coloured as Coloured
from topology.symmetry.colouring import HashArray as HashArray
from topology.symmetry.colouring import codes as codes
from topology.symmetry.colouring import coloured as coloured
from topology.symmetry.colouring import equitable_partition as equitable_partition
from topology.symmetry.colouring import is_equitable as is_equitable
from topology.symmetry.colouring import numbered as numbered
from topology.symmetry.colouring import scramble as scramble
from topology.symmetry.colouring import spread as spread
from topology.symmetry.search import Orbits as Orbits
from topology.symmetry.search import automorphism as automorphism
from topology.symmetry.search import joined as joined
from topology.symmetry.search import orbits as orbits
