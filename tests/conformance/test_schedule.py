"""The clock, on every stage."""

from __future__ import annotations

from tests.conformance.stage import Stage


def test_a_tick_delivered_twice_posts_once(stage: Stage) -> None:
    stage.mqtt("sensors/kitchen/temperature", {"celsius": 21.5})
    stage.settle()
    for _ in range(2):
        stage.tick("morning_digest.post", "2026-01-05T06:00:00Z")
        stage.settle()
    assert stage.slack_messages() == [("#home", "Good morning!\nkitchen: 21.5 to 21.5 °C")]
    assert stage.state("morning_digest") == {}


def test_the_next_tick_posts_again(stage: Stage) -> None:
    for day in ("05", "06"):
        stage.tick("morning_digest.post", f"2026-01-{day}T06:00:00Z")
        stage.settle()
    assert [text for _, text in stage.slack_messages()] == ["Good morning! No readings since yesterday."] * 2
