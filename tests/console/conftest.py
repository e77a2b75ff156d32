"""One browser for all tests, one platform for those of a module: each looks at what it did itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.console.browser import chromium, opened
from tests.console.session import PLUGINS, Session, connected
from tests.hosts.local.running import running
from tests.mosquitto import eventually


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("console")
    with running(folder, PLUGINS, BOTPLATFORM_RECIPIENTS="owner=+15550100") as platform:
        eventually(lambda: connected(platform))
        yield Session(platform)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, console: Session) -> Iterator[Page]:
    """The console in a window of its own."""
    with opened(browser, f"{console.platform.url}/console/") as page:
        yield page
