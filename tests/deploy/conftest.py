"""Plugins of every kind, and what they become."""

from __future__ import annotations

from typing import Any

import pytest

from botplatform.plugins import Plugins
from tests.deploy.templates import EVERYTHING, rendered
from tests.plugin_files import load


@pytest.fixture
def everything(tmp_path) -> Plugins:
    """Plugins that listen to everything and use every effect."""
    return load(tmp_path / "everything", **EVERYTHING)


@pytest.fixture
def template(everything) -> dict[str, Any]:
    """Their serverless.yml, read back."""
    return rendered(everything)
