"""A platform that is there to die: forks one life after the other, each armed as standard input says.

`python -m tests.faults.victim FOLDER` with the settings in the environment; FOLDER has the `plugins`. Each line in is
an `Orders`, each line out tells of the life that came of it: first its process id, then the status it ended with.
Forking spares the tests the imports, which take longer than most lives.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import threading
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

import botocore.session
import slack_sdk.webhook  # noqa: F401 - imported once, for all lives

from botplatform.console import pages  # noqa: F401
from botplatform.hosts.local.platform import Platform
from botplatform.hosts.logs import log_to_stderr
from botplatform.settings import Settings
from tests.faults.disk import Disk
from tests.faults.points import Trap, arm, arm_connections, note_effects

# Linux, prctl(2): PR_SET_PDEATHSIG.
_DIES_WITH_ITS_PARENT = 1
LEDGER = "ledger"
REFUSES = "disk-refuses"


@dataclass(frozen=True)
class Orders:
    """What a life is to go through.

    It dies at the `passing`-th passing of `point`, with `power_fails` as when the power does. An fsync takes
    `sync_takes` seconds; with `careless`, SQLite does not wait for one at each commit. Handlers have `deadline`
    seconds, and the process `memory` bytes beyond what it has at its start (0: any number).
    """

    point: str = ""
    passing: int = 1
    power_fails: bool = False
    sync_takes: float = 0.0
    careless: bool = False
    deadline: float = 30.0
    memory: int = 0

    def to_json(self) -> str:
        """As a line for a victim."""
        return json.dumps(asdict(self))


def main(folder: Path) -> None:
    """Live as often as we are told to."""
    botocore.session.Session().create_client("sns", "us-east-1")  # imports what only a first client does
    for line in sys.stdin:
        child = os.fork() or _life(folder, Orders(**json.loads(line)))
        _say(child)
        _say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _life(folder: Path, orders: Orders) -> NoReturn:
    ctypes.CDLL(None).prctl(_DIES_WITH_ITS_PARENT, signal.SIGKILL)
    os.dup2(2, 1)  # what plugins print is no answer to a line
    try:
        _live(folder, orders)
        status = 0
    except BaseException:  # noqa: BLE001 - what ends a life must not go on as the parent
        traceback.print_exc()
        status = 1
    os._exit(status)


def _live(folder: Path, orders: Orders) -> None:
    """Serve until SIGTERM, if nothing ends it before."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    log_to_stderr(verbose=False)
    platform = _armed(folder, orders)
    try:
        platform.start()
        _limit(orders.memory)
        stopping.wait()
    finally:
        platform.stop()


def _armed(folder: Path, orders: Orders) -> Platform:
    disk = Disk(orders.sync_takes, folder / REFUSES)
    trap = Trap(orders.point, orders.passing, disk.lose_power if orders.power_fails else None)
    arm_connections(trap, orders.careless)
    platform = Platform(Settings.read(os.environ), [folder / "plugins"], deadline=orders.deadline, entry_points=False)
    platform.dispatcher.backoff = platform.dispatcher.performer.backoff = lambda attempts: 0.01 * attempts
    note_effects(platform, folder / LEDGER)
    arm(platform, trap)
    return platform


def _limit(memory: int) -> None:
    """Let the process have so much more memory than it has now."""
    if memory:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
