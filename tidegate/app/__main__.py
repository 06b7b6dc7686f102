"""``python -m tidegate.app PROCESS [REGION]``: see the package."""

import sys

from tidegate.app.main import main

main(sys.argv[1:])
