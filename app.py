"""Entry of the Space, and of a run from a checkout: `camdemo serve`, with all its flags."""

import sys

from camdemo.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
