"""A real browser, and a page of somebody else's for it to open."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # What an attacker's name server would say: the name is theirs, the address is ours.
    "--host-resolver-rules=MAP rebound.example 127.0.0.1",
]


# A name that does something where it is taken for HTML.
HOSTILE = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's chromium; a machine without it skips, CI fails."""
    path = shutil.which("chromium")
    if path is None and os.environ.get("CI"):
        pytest.fail("chromium is not installed, and CI has to run this test")
    if path is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[Page]:
    """A console in a window; a mistake in its script, or something its policy forbids, fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if _is_wrong(message) else None)
    page.goto(url)
    yield page
    context.close()
    assert wrong == []


def _is_wrong(message: ConsoleMessage) -> bool:
    """An error, but not that a request was refused, which chromium reports as one."""
    return message.type == "error" and not message.text.startswith("Failed to load resource: the server responded")


def row(page: Page, number: int) -> Locator:
    """An event in the list."""
    return page.locator(f"#events li[data-key='{number}']")


def letter(page: Page, number: int) -> Locator:
    """A dead letter in the list."""
    return page.locator(f"#dead-letters li[data-key='{number}']")


@contextmanager
def other_site() -> Iterator[str]:
    """The address of an empty page under another name than the console's, and on another port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _EmptyPage)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


class _EmptyPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer every path with the page."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Prizes</title>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""
