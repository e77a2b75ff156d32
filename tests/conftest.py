"""What every test may ask for besides the shipped `platform` fixture."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data that is not ours to commit; tests that use it skip where it is missing."""
    folder = Path(os.environ.get("BOTPLATFORM_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the shared data is not at {folder}")
    return folder
