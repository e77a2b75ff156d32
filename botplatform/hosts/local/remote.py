"""The operations on a platform from outside: asked over its console where it runs, else done on its state."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from botplatform import codec
from botplatform.engine import Engine
from botplatform.errors import BotplatformError, Rejected, Retry, StateUnavailable
from botplatform.hosts.local.lock import FolderInUse, FolderLock
from botplatform.hosts.local.operations import PAGE, Operations
from botplatform.hosts.local.whereabouts import announced
from botplatform.plugins import Plugins
from botplatform.router import Router
from botplatform.settings import Settings
from botplatform.source import masked
from botplatform.stores.sqlite import SqliteStore
from botplatform.stores.sqlite.opening import prepare
from botplatform.stores.sqlite.search import Search

# A backup of a large state takes its time.
_TIMEOUT = 600
_DATABASE = "state.db"


class RunningPlatform:
    """The Operations of a platform in another process, which is asked over HTTP.

    `url` and `token` are as it announces them, `events_token` is the setting. Every method raises BotplatformError
    with the sentence the platform answers, or says that it does not; it is a Retry where that may pass.
    """

    runs = True

    def __init__(self, url: str, token: str, events_token: str = "") -> None:
        self._url = f"{url}/console/api"
        self._headers = {"content-type": "application/json", "x-console-token": token}
        if events_token:
            self._headers["authorization"] = f"Bearer {events_token}"

    def dead_letters(self, search: Search, after: int = 0, limit: int = PAGE) -> list[dict[str, Any]]:
        """As `Operations.dead_letters`, which answers with a page at most."""
        asked = {name: value for name, value in search._asdict().items() if value not in ("", None)}
        query = urlencode({**asked, "after": after, "limit": limit})
        return list(self._ask(f"dead-letters?{query}")["dead_letters"])

    def dead_letter(self, number: int) -> dict[str, Any]:
        """As `Operations.dead_letter`."""
        return dict(self._ask(f"dead-letters/{number}"))

    def retry(self, numbers: Sequence[int]) -> int:
        """As `Operations.retry`."""
        return int(self._ask("dead-letters/retry", {"numbers": [*numbers]})["done"])

    def edit(self, number: int, data: Any) -> None:
        """As `Operations.edit`."""
        self._ask(f"dead-letters/{number}/edit", {"data": data})

    def drop(self, numbers: Sequence[int]) -> int:
        """As `Operations.drop`."""
        return int(self._ask("dead-letters/drop", {"numbers": [*numbers]})["done"])

    def rehearse(self, numbers: Sequence[int], handler: str = "") -> list[dict[str, Any]]:
        """As `Operations.rehearse`."""
        asked = {"numbers": [*numbers], "handler": handler, "dry_run": True, "effects": False}
        return list(self._ask("replay", asked)["runs"])

    def replay(self, numbers: Sequence[int], handler: str = "", effects: bool = True) -> list[str]:
        """As `Operations.replay`."""
        asked = {"numbers": [*numbers], "handler": handler, "dry_run": False, "effects": effects}
        return list(self._ask("replay", asked)["replayed"])

    def backup(self, path: Path) -> int:
        """As `Operations.backup`."""
        return int(self._ask("backup", {"path": str(path)})["bytes"])

    def restore(self, path: Path) -> int:
        """As `Operations.restore`."""
        return int(self._ask("restore", {"path": str(path)})["bytes"])

    def _ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """What the platform answers to a GET, or to a POST of a body."""
        content = None if body is None else codec.encode(body)
        request = urllib.request.Request(f"{self._url}/{path}", content, self._headers)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
                return codec.decode(response.read())
        except urllib.error.HTTPError as error:
            with error:
                kind = Retry if error.code == 503 else BotplatformError
                raise kind(_reason(error.read()) or f"{self._url} answers {error.code}") from error
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise BotplatformError(f"the platform at {self._url} does not answer: {reason}") from error


@contextmanager
def operating(
    settings: Settings, plugins: Callable[[], Plugins], clock: Callable[[], float] = time.time
) -> Iterator[Operations | RunningPlatform]:
    """The operations on the state folder of the settings; raises StateUnavailable when there is nothing in it yet.

    `plugins` are loaded where no platform runs; none can be started meanwhile.
    """
    if not (settings.state / _DATABASE).exists():
        raise StateUnavailable(f"there is no state in {settings.state} yet: start the platform with `botplatform run`")
    lock, where = lock_or_find(settings.state)
    if lock is None:
        yield RunningPlatform(where["url"], where["token"], settings.events_token)
        return
    try:
        with _opened(settings.state / _DATABASE, plugins(), clock) as operations:
            yield operations
    finally:
        lock.release()


def lock_or_find(state: Path) -> tuple[FolderLock | None, dict[str, Any]]:
    """The lock of a state folder; None where a platform has it, with where that is."""
    try:
        return FolderLock(state), {}
    except FolderInUse:
        where = announced(state)
        if not where:
            raise  # it is about to start or to stop
        return None, where


@contextmanager
def _opened(path: Path, plugins: Plugins, clock: Callable[[], float]) -> Iterator[Operations]:
    """The operations on a state that no platform uses."""
    prepare(path)
    store = SqliteStore(path, clock, lambda event: masked(event, engine.source_of(event).secrets))
    engine = Engine(store, plugins.sources, clock, plugins.infos)
    router = Router(plugins.handlers)
    try:
        yield Operations(store, engine, lambda: router)
    finally:
        store.close()


def _reason(answer: bytes) -> str:
    """The sentence in an answer that is an error, empty where there is none."""
    try:
        return str(codec.decode(answer)["error"])
    except (Rejected, KeyError, TypeError):
        return ""
