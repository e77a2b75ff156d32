"""A backup in the place of the state, whether a platform runs on it or not."""

from __future__ import annotations

import time
from pathlib import Path

from botplatform.errors import BotplatformError
from botplatform.hosts.local.platform import DATABASE
from botplatform.hosts.local.remote import RunningPlatform, lock_or_find
from botplatform.hosts.local.whereabouts import announced
from botplatform.settings import Settings
from botplatform.stores.sqlite.copying import Progress
from botplatform.stores.sqlite.opening import prepare, restore_at_start

# A platform lets its handlers finish for 10 s, and then loads its plugins.
_WITHIN = 60.0


def restore(settings: Settings, backup: Path, progress: Progress) -> bool:
    """Put a backup in the place of the state, which is kept beside it; whether a running platform did it.

    Returns when the platform is up again. Raises StateUnavailable for what is no sound state, and BotplatformError when
    the platform does not take it.
    """
    lock, where = lock_or_find(settings.state)
    if lock is None:
        RunningPlatform(where["url"], where["token"], settings.events_token).restore(backup.resolve())
        _wait_for_another(settings.state, where["token"])
        return True
    try:
        restore_at_start(backup, settings.state / DATABASE, progress)
        prepare(settings.state / DATABASE)
    finally:
        lock.release()
    return False


def _wait_for_another(state: Path, token: str) -> None:
    """Return once a platform is there that is not the one with this token."""
    end = time.monotonic() + _WITHIN
    while announced(state).get("token") in (None, token):
        if time.monotonic() > end:
            raise BotplatformError("the platform does not come up again: `botplatform logs` says why")
        time.sleep(0.1)
