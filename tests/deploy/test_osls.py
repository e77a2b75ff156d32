"""The tool that deploys, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

# Ends at once when it is told to, as the terminal tells all of a group.
OSLS = """#!/bin/sh
trap 'exit 7' INT
echo ready
while :; do sleep 5 >/dev/null 2>&1 & wait $!; done
"""
DEPLOYING = """
import os
from pathlib import Path
from botplatform.deploy.osls import Osls

print(Osls(Path(), "dev", "eu-central-1", os.environ, {}).deploy(Path("package")))
"""
TIMES = 30


def test_ctrl_c_at_any_moment_leaves_it_to_osls_how_it_ends(tmp_path: Path) -> None:
    osls = tmp_path / "node_modules/.bin/osls"
    osls.parent.mkdir(parents=True)
    osls.write_text(OSLS)
    osls.chmod(0o755)
    assert Counter(interrupted(tmp_path) for _ in range(TIMES)) == {"7\n": TIMES}


def interrupted(folder: Path) -> str:
    command = [sys.executable, "-c", DEPLOYING]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as deploying:
        assert deploying.stdout
        assert deploying.stdout.readline() == "ready\n"
        os.killpg(deploying.pid, signal.SIGINT)
        return deploying.communicate(timeout=60)[0]
