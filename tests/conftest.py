"""What every test may ask for besides the shipped `platform` fixture."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.aws.aws_stage import AwsStage
    from tests.aws.emulator import Emulator

ROOT = Path(__file__).resolve().parents[1]


def pytest_configure() -> None:
    """Hear Ctrl-C: what a shell starts in the background ignores it, and so would all that tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the conformance suite plays, and how long the model test does."""
    parser.addoption("--stage", choices=["local", "aws"], default="local", help="where tests/conformance plays")
    parser.addoption("--model-runs", type=int, default=200, help="random runs of tests/stores/test_model.py")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data that is not ours to commit; tests that use it skip where it is missing."""
    folder = Path(os.environ.get("BOTPLATFORM_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the shared data is not at {folder}")
    return folder


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An AWS on this machine; tests that use it skip where it is not installed."""
    from tests.aws.emulator import Emulator, need_tools

    need_tools()
    emulator = Emulator(tmp_path_factory.mktemp("aws"))
    yield emulator
    emulator.stop()


@pytest.fixture(scope="session")
def deployed(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsStage]:
    """The plugins of the conformance suite, deployed once."""
    from tests.aws.aws_stage import deployed

    with deployed(tmp_path_factory.mktemp("project"), emulator) as stage:
        yield stage


@pytest.fixture
def aws_stage(deployed: AwsStage) -> AwsStage:
    """The plugins of the conformance suite on AWS, with nothing left of earlier tests."""
    deployed.clear()
    return deployed
