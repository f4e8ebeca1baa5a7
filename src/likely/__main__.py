"""`python -m likely`: the command line, for launchers that start a module (`torchrun -m likely`)."""

import sys

from likely.cli import main

if __name__ == "__main__":
    sys.exit(main())
