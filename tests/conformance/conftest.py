"""The stage the conformance suite plays on: this machine, or with `--stage aws` the emulated AWS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.local import local_stage
from tests.conformance.stage import Stage


@pytest.fixture
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    if request.config.getoption("--stage") == "aws":
        yield request.getfixturevalue("aws_stage")
    else:
        with local_stage(tmp_path) as stage:
            yield stage
