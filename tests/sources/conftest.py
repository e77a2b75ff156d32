"""What the tests of several sources share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from botplatform.testing import Platform
from tests.plugin_files import load

MakePlatform = Callable[..., Platform]


@pytest.fixture(scope="session")
def envelope_schema(shared_data: Path) -> Draft7Validator:
    """The CloudEvents 1.0 JSON schema."""
    return Draft7Validator(json.loads((shared_data / "cloudevents" / "cloudevents-v1-schema.json").read_bytes()))


@pytest.fixture
def platform_with(tmp_path: Path) -> Iterator[MakePlatform]:
    """A platform on which the plugins run whose sources are given by name."""
    with ExitStack() as running:

        def make(**plugins: str) -> Platform:
            return running.enter_context(Platform(tmp_path, load(tmp_path / "plugins", **plugins)))

        yield make
