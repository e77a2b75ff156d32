"""One platform for all tests of a module: each looks at what it did itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.console.session import PLUGINS, Session, connected
from tests.hosts.local.running import running
from tests.mosquitto import eventually


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("console")
    with running(folder, PLUGINS, BOTPLATFORM_RECIPIENTS="owner=+15550100") as platform:
        eventually(lambda: connected(platform))
        yield Session(platform)
