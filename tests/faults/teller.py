"""A platform that publishes numbers over MQTT and dies on the way: forks one life after the other.

`python -m tests.faults.teller FOLDER` with the settings in the environment; FOLDER has the `plugins`. Each line in is
an `Errand`, each line out the status that the life ended with: 0 where the broker has all, and the platform knows.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from botplatform.console import pages  # noqa: F401 - imported once, for all lives
from botplatform.hosts.local.platform import Platform
from botplatform.hosts.logs import log_to_stderr
from botplatform.hosts.mqtt.devices import Devices
from botplatform.settings import Settings
from tests.faults.points import BEFORE_MARK, Trap
from tests.handlers import happened

KEPT = "its packet id is kept"
SENT = "PUBLISH is sent"
ANSWERED = "PUBACK or PUBREC arrives"
NOTED = "PUBREC is noted"
RELEASED = "PUBREL is sent"
COMPLETED = "PUBCOMP arrives"
POINTS = {1: (SENT, ANSWERED, BEFORE_MARK), 2: (KEPT, SENT, ANSWERED, NOTED, RELEASED, COMPLETED, BEFORE_MARK)}
TELLER = '''"""Tells the outside of each number, those of one topic in their order."""

from botplatform import Context, Event, cloudevents

USES = ["publish"]


@cloudevents.event("com.example.happened")
def tell(event: Event, ctx: Context) -> None:
    ctx.publish(f"told/{event.subject}", event.data["number"], qos=event.data["qos"])
'''
# How long a packet may take to be on its way, once it is queued.
_WRITTEN_WITHIN = 0.003


@dataclass(frozen=True)
class Errand:
    """Publish the numbers from `first` to before `end` with a QoS, and die at the `passing`-th passing of `point`."""

    qos: int
    first: int
    end: int
    point: str = ""
    passing: int = 1

    def to_json(self) -> str:
        """As a line for a teller."""
        return json.dumps(asdict(self))


class Teller(Platform):
    """A platform with a trap in what publishes."""

    def __init__(self, settings: Settings, plugins: Path, errand: Errand) -> None:
        super().__init__(settings, [plugins], entry_points=False)
        self._errand = errand
        self._performer.backoff = lambda _: 0.01
        self._performer.pause = 0.01
        trap = Trap(errand.point, errand.passing)
        self.store.performed = trap.before(BEFORE_MARK, self.store.performed)  # type: ignore[method-assign]

    def tell(self) -> None:
        """Publish the numbers, and return once all are marked."""
        for number in range(self._errand.first, self._errand.end):
            data = {"number": number, "qos": self._errand.qos}
            self.accept(happened(f"number {number}", subject=str(number % 4), data=data))
        while self.busy() or self._performer.pending():
            time.sleep(0.01)

    def _devices(self) -> Devices:
        devices = super()._devices()
        trap = Trap(self._errand.point, self._errand.passing)
        soon = Trap(self._errand.point, self._errand.passing, _end_soon)
        client = devices.client._paho
        client.send = soon.after(SENT, trap.before(KEPT, client.send))  # type: ignore[method-assign]
        client.release = soon.after(RELEASED, trap.before(NOTED, client.release))  # type: ignore[method-assign]
        client.on_answer = partial(_answer, trap, client.on_answer)
        return devices


def _end_soon() -> None:
    """Die when the packet that was just queued is on its way, or about to be."""
    time.sleep(random.uniform(0, _WRITTEN_WITHIN))
    os.kill(os.getpid(), signal.SIGKILL)


def _answer(trap: Trap, noted: Any, question: Any, refusal: str) -> None:
    trap.passes(COMPLETED if question[0].name == "PUBCOMP" else ANSWERED)
    noted(question, refusal)


def main(folder: Path) -> None:
    """Live as often as we are told to."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            os._exit(_life(folder, Errand(**json.loads(line))))
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


def _life(folder: Path, errand: Errand) -> int:
    try:
        log_to_stderr(verbose=False)
        platform = Teller(Settings.read(os.environ), folder / "plugins", errand)
        platform.start()
        platform.tell()
        platform.stop()
    except BaseException:  # noqa: BLE001 - what ends a life must not go on as the parent
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main(Path(sys.argv[1]))
