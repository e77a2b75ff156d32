"""The command line in an empty folder, and an AWS with a stage for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from botplatform.cli import main
from tests.deploy.cloud import Cloud

Run = Callable[..., Result]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in an empty folder, with settings and perhaps standard input."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path, stdin: bytes = b"", **settings: str) -> Result:
        result = CliRunner().invoke(main, [*map(str, arguments)], input=stdin, env=settings)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """An AWS where nothing is deployed."""
    cloud = Cloud()
    yield cloud
    cloud.stop()
