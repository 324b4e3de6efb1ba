"""``python -m srnn_lab``."""

import sys

from srnn_lab.cli import main

sys.exit(main())
