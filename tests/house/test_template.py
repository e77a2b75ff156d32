"""serverless.yml is what the shipped plugins declare."""

from __future__ import annotations

from pathlib import Path

from botplatform.deploy.template import render
from botplatform.plugins import Plugins

ROOT = Path(__file__).resolve().parents[2]


def test_serverless_yml_is_current():
    wanted = render(Plugins([ROOT / "plugins"]))
    assert (ROOT / "serverless.yml").read_text() == wanted, "run: botplatform deploy render"
