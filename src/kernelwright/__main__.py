"""``python -m kernelwright``."""

import sys

from kernelwright.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
