"""A hundred kills at random moments. Bar: no lost annotation, no round stuck, no half-written bundle loadable.

Run: python -m tests.benchmarks.chaos [--kills 100] [--seed 1]
"""

import argparse

from tests.benchmarks.product import report
from tests.chaos.chaos import chaos


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.chaos")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    report("chaos", **chaos(options.kills, options.seed))


if __name__ == "__main__":
    main()
