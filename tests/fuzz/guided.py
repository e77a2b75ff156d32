"""`python -m tests.fuzz.guided TARGET`: inputs guided by the code they reach; needs atheris, which `make` leaves out.

What follows the target is for libFuzzer: `-runs=100000`, `-max_total_time=60`, a folder that keeps what reached more.
It stops at the first input that finds something and writes that to `crash-…`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["botplatform"]):
    from tests.fuzz.targets import all_targets

# Where a compressed file or a big number is meant, no input has to be long.
_LONGEST = 4096


def main(name: str, *options: str) -> None:
    """Guide inputs into a target that needs no platform."""
    target = all_targets(None)[name]
    with tempfile.TemporaryDirectory() as folder:
        for number, body in enumerate(target.samples):
            (Path(folder) / str(number)).write_bytes(body)
        atheris.Setup([sys.argv[0], *options, f"-max_len={_LONGEST}", folder], target.feed)
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
