"""One platform for all that is fed to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fuzz.app import App, an_app
from tests.fuzz.target import Target
from tests.fuzz.targets import all_targets


@pytest.fixture(scope="session")
def app() -> Iterator[App]:
    with an_app() as app:
        yield app


@pytest.fixture(scope="session")
def targets(app: App) -> dict[str, Target]:
    """Everything that reads what strangers write, by name."""
    return all_targets(app)
