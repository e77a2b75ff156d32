"""A platform whose database is damaged: what it answers, and what it does at its next start."""

from __future__ import annotations

import json
from pathlib import Path

from botplatform.hosts.local.platform import Platform
from botplatform.stores.sqlite import SqliteStore
from tests.handlers import happened
from tests.hosts.local.running import Answer, request, running, state
from tests.stores.sqlite import damages

COUNTER = '''"""Counts events."""

from botplatform import Context, Event, cloudevents


@cloudevents.event("com.example.numbered")
def count(event: Event, ctx: Context) -> None:
    ctx.state.add(event.id)
'''


def test_a_platform_whose_database_is_damaged_takes_nothing_in_and_says_why(tmp_path: Path) -> None:
    fill(tmp_path / "state" / "state.db")
    with running(tmp_path, {"counter": COUNTER}) as platform:
        damages.spoil(platform.store.path)
        refused = post(platform, "late")
        health = request(f"{platform.url}/health", method="GET")

    assert (refused.status, health.status) == (503, 503)
    assert "it is damaged: the next start saves what can be saved" in health.error


def test_a_platform_goes_on_with_what_could_be_saved(tmp_path: Path) -> None:
    with running(tmp_path, {"counter": COUNTER}) as platform:
        assert post(platform, "early").status == 202
    damages.behead(tmp_path / "state" / "state.db")

    with running(tmp_path, {"counter": COUNTER}) as platform:
        assert post(platform, "late").status == 202
        assert state(platform, "counter") == {"early": 1, "late": 1}


def fill(path: Path) -> None:
    """Make a file so large that nobody has all of it in memory."""
    store = SqliteStore(path)
    for n in range(3000):
        store.log.record(happened(str(n), data="x" * 500), "unmatched")
    store.close()


def post(platform: Platform, id: str) -> Answer:
    event = {"specversion": "1.0", "id": id, "source": "/tests", "type": "com.example.numbered"}
    headers = {"content-type": "application/cloudevents+json"}
    return request(f"{platform.url}/events", json.dumps(event).encode(), headers)
