"""``python -m collectives.cli`` is the ``supernode`` command."""

import sys

from collectives.cli import main

sys.exit(main())
