"""A long storm by a seed: python -m tests.faults.soak --seed 7 --minutes 10; 0 where every promise was kept."""

import argparse
import os
import random
import sys
from pathlib import Path

import pytest

ROUNDS = Path(__file__).with_name("rounds.py")


def main() -> int:
    """Run rounds until the time is over; the seed is printed, so that a bad night can be lived through again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    os.environ |= {"SOAK_SEED": str(seed), "SOAK_MINUTES": str(options.minutes)}
    sys.stdout.write(f"Soak with seed {seed} for {options.minutes:g} minutes\n")
    sys.stdout.flush()
    code = pytest.main([str(ROUNDS), "-q", "-s", "-x", "--tb=short", "--no-header", "-p", "no:cacheprovider"])
    sys.stdout.write(f"Seed {seed}: {'every promise was kept' if code == 0 else 'a promise was broken, see above'}.\n")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
