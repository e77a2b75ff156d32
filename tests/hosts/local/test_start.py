"""What a platform needs for its first answer: the broker, the console and cryptography come after it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from botplatform.hosts.local.broker import EmbeddedBroker
from botplatform.hosts.local.development import alexa_verify
from botplatform.hosts.local.platform import Platform
from botplatform.sources.alexa.development import FILE_NAME
from tests.hosts.local.running import Answer, configured, request, written

LATER = ("flask", "werkzeug", "jinja2", "paho", "iotcore", "cryptography", "boto3", "slack_sdk", "ask_sdk_core")


class Asking(EmbeddedBroker):
    """A broker before which somebody asks the platform for its health."""

    def __init__(self, platform: Platform) -> None:
        super().__init__()
        self._platform = platform
        self.answers: list[Answer] = []

    def start(self) -> None:
        self.answers.append(request(f"{self._platform.url}/health", method="GET"))
        super().start()


def test_it_answers_before_its_broker_has_started(tmp_path: Path) -> None:
    platform = Platform(configured(tmp_path), [written(tmp_path, {})], entry_points=False)
    platform.broker = broker = Asking(platform)
    try:
        platform.start()
    finally:
        platform.stop()
    assert [answer.status for answer in broker.answers] == [200]


def test_what_is_not_needed_for_an_answer_is_not_imported_with_it() -> None:
    asked = "import sys, botplatform.hosts.local.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=True)
    assert {*LATER} & {name.partition(".")[0] for name in done.stdout.split()} == set()


def test_no_key_is_made_before_alexa_asks(tmp_path: Path) -> None:
    alexa_verify(configured(tmp_path))
    assert not (tmp_path / "state" / FILE_NAME).exists()
