"""``python -m collectives`` is the ``supernode`` command."""

import sys

from collectives.cli import main

sys.exit(main())
