"""``python -m visclust`` is the command ``visclust``."""

import sys

from visclust.commands import main

if __name__ == "__main__":
    sys.exit(main())
