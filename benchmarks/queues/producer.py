"""`python -m benchmarks.queues.producer MODULE`: puts as many tasks as each line of standard input says."""

from __future__ import annotations

import importlib
import sys
from concurrent.futures import ThreadPoolExecutor

# With one thread the Redis clients wait for most of the time; with more than eight they are no faster.
THREADS = 8


def main() -> None:
    """Put tasks until standard input ends."""
    put = importlib.import_module(f"benchmarks.queues.{sys.argv[1]}").put
    with ThreadPoolExecutor(THREADS) as threads:
        for line in sys.stdin:
            list(threads.map(put, range(int(line))))


if __name__ == "__main__":
    main()
