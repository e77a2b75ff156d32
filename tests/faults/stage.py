"""A platform under load that dies and comes back, and what has to be true of it afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO, Any

from botplatform.errors import StateUnavailable
from botplatform.stores.sqlite.reading import reading
from tests.faults.load import PACE, SENDERS, Load
from tests.faults.outside import Outside
from tests.faults.points import in_doubt
from tests.faults.report import Fault
from tests.faults.victim import LEDGER, Orders
from tests.hosts.local.running import written
from tests.mosquitto import Mosquitto, eventually, free_port

ROOT = Path(__file__).resolve().parents[2]
WITNESS = '''"""Counts what arrives, each by its number, and tells the outside of it."""

from botplatform import Context, Event, cloudevents, mqtt, slack

USES = ("text", "slack", "publish", "emit")


@mqtt.topic("ready")
def note(ctx: Context) -> None:
    ctx.state["ready"] = True


@mqtt.topic("numbers/{sender}")
def hear(event: Event, ctx: Context) -> None:
    sender, number = ctx.params["sender"], event.data
    last = ctx.state.get(f"last {sender}", -1)
    if number != last + 1:
        ctx.state.append("disorder", f"{sender}: {number} after {last}")
    ctx.state[f"last {sender}"] = number
    ctx.state.add(f"number {sender} {number}")


@cloudevents.event("com.example.posted")
def take(event: Event, ctx: Context) -> None:
    ctx.state.add(f"posted {event.data}")
    match event.data % 4:
        case 0:
            ctx.text("+15550100", f"text {event.data}")
        case 1:
            ctx.slack("C1", f"slack {event.data}")
        case 2:
            ctx.publish("out/there", f"publish {event.data}")
        case 3:
            ctx.emit(Event(type="com.example.emitted", data=event.data))


@cloudevents.event("com.example.emitted")
def hear_of(event: Event, ctx: Context) -> None:
    ctx.state.add(f"emitted {event.data}")


@slack.command("/count {number}")
def answer(ctx: Context) -> str:
    ctx.state.add(f"command {ctx.params['number']}")
    return "Counted."
'''
DATABASE = "state/state.db"
_EFFECTS = {0: "text", 1: "slack", 2: "publish"}
# Longer without any progress, and what is missing is lost.
_PATIENCE = 10.0
QUIETLY = Orders()


class Victim:
    """A process that lives on a folder as often as it is told to; `log` holds what it says."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.log = folder / "log"
        environment = {**os.environ, "BOTPLATFORM_STATE": str(folder / "state"), **settings}
        command = [sys.executable, "-m", "tests.faults.victim", str(folder)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.pid = 0

    def live(self, orders: Orders) -> None:
        """Begin a life; one at a time."""
        assert not self.pid, "the life before goes on"
        self._pipe(self._process.stdin).write(orders.to_json() + "\n")
        self._pipe(self._process.stdin).flush()
        self.pid = int(self._said())

    def death(self) -> int:
        """Wait until the life ends; returns its status, which is -9 after SIGKILL."""
        status = int(self._said())
        self.pid = 0
        return status

    def close(self) -> None:
        """End everything."""
        self._process.kill()
        self._process.wait(20)
        self._pipe(self._process.stdin).close()
        self._pipe(self._process.stdout).close()

    def _said(self) -> str:
        line = self._pipe(self._process.stdout).readline()
        assert line, self.log.read_text()
        return line

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


class Stage:
    """A victim with its broker, an outside world, and a load; `deaths` are the times of the lives that were ended."""

    def __init__(self, folder: Path, victim: Victim, load: Load, outside: Outside, url: str) -> None:
        self.folder = folder
        self.victim = victim
        self.load = load
        self.outside = outside
        self.url = url
        self.deaths: list[float] = []

    def begin(self, orders: Orders = QUIETLY) -> None:
        """Have the broker know the platform, and begin with the load, in a life that goes on."""
        self.victim.live(orders)
        eventually(self._is_heard)
        self.load.begin()

    def kill(self, orders: Orders) -> None:
        """One life that ends where its orders say."""
        self.victim.live(orders)
        assert self.die() == -signal.SIGKILL, self.victim.log.read_text()

    def kill_now(self) -> None:
        """End the life that goes on, wherever it is."""
        os.kill(self.victim.pid, signal.SIGKILL)
        self.die()

    def stop(self) -> None:
        """End the life that goes on as an administrator does."""
        os.kill(self.victim.pid, signal.SIGTERM)
        assert self.die() == 0, self.victim.log.read_text()

    def die(self) -> int:
        """Wait until the life that goes on is over; returns its status."""
        status = self.victim.death()
        self.deaths.append(time.monotonic())
        return status

    def goes_on(self, posts: int = 10) -> None:
        """Wait until the platform took some more events."""
        enough = self.load.posted + posts
        eventually(lambda: self.load.posted >= enough, seconds=60)

    def settle(self, point: str) -> Fault:
        """Let a last life finish everything, and say what the faults at a point did."""
        if not self.victim.pid:
            self.victim.live(QUIETLY)
        self.load.end()
        self._rest()
        self.stop()
        self.deaths.pop()
        return self._verdict(point)

    def counted(self) -> dict[str, Any]:
        """What the witness has counted."""
        return state_of(self.folder, "witness")

    def shown(self) -> Counter[str]:
        """How often people saw each effect: Slack shows a message whose `client_msg_id` it has seen only once."""
        taken = {(message.text, message.key or number) for number, message in enumerate(self.outside.messages)}
        return Counter(text for text, _ in taken) + Counter(self.load.heard)

    def _is_heard(self) -> bool:
        self.load.say("ready")
        return bool(self.counted())

    def _rest(self) -> None:
        """Wait until all is there, or nothing has come for long."""
        missing, since = self._missing(), time.monotonic()
        while missing and time.monotonic() - since < _PATIENCE:
            time.sleep(0.05)
            before, missing = missing, self._missing()
            if missing != before:
                since = time.monotonic()

    def _missing(self) -> int:
        there = self.counted().keys() | self.shown().keys()
        return len(self._expected() - there)

    def _expected(self) -> set[str]:
        """What has to be there once: by name in the state, by its words outside."""
        numbers = {f"number {sender} {n}" for sender in SENDERS for n in range(self.load.published[sender])}
        posted = {f"posted {n}" for n in range(self.load.posted)}
        commands = {f"command {n}" for n in range(self.load.commanded)}
        effects = {f"{_EFFECTS.get(n % 4, 'emitted')} {n}" for n in range(self.load.posted)}
        return numbers | posted | commands | effects

    def _verdict(self, point: str) -> Fault:
        counted = self.counted()
        times = {what: times for what, times in counted.items() if not what.startswith(("last ", "disorder", "ready"))}
        shown_again = _again(self.shown())
        return Fault(
            point,
            len(self.deaths) or 1,
            lost=self._missing(),
            duplicated_state=_again(times).total(),
            duplicated_effects=shown_again.total(),
            recovery=self.load.recoveries(self.deaths),
            unexcused=(shown_again - in_doubt(self.folder / LEDGER)).total(),
            disordered=len(counted.get("disorder", ())),
        )


def _again(times: Mapping[str, int]) -> Counter[str]:
    """How often each was there beyond the first time."""
    return Counter(times) - Counter(times.keys())


@contextmanager
def stage(folder: Path, plugins: Mapping[str, str] | None = None, pace: float = PACE) -> Iterator[Stage]:
    """A stage in a folder, with the witness and other plugins; everything ends with the block."""
    folder.mkdir(exist_ok=True)
    written(folder, {"witness": WITNESS, **(plugins or {})})
    with ExitStack() as end:
        broker = Mosquitto(folder)
        end.callback(broker.stop)
        broker.start()
        outside = Outside()
        end.callback(outside.stop)
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        settings = {**outside.settings, "BOTPLATFORM_PORT": str(port), "MQTT_URL": broker.url}
        victim = end.enter_context(closing(Victim(folder, settings)))
        load = end.enter_context(closing(Load(url, broker.port, pace)))
        yield Stage(folder, victim, load, outside, url)


def side_by_side(folder: Path, runs: int, faults: Callable[[Stage, int], Fault]) -> Fault:
    """`faults(stage, runs)` on two stages at once, which is what a machine with two cores has time for."""

    def play(number: int) -> Fault:
        with stage(folder / str(number)) as own:
            return faults(own, (runs + number) // 2)

    with ThreadPoolExecutor(2) as both:
        first, second = both.map(play, range(2))
    return first + second


def state_of(folder: Path, plugin: str) -> dict[str, Any]:
    """What a plugin has in the state of the platform on a folder, whether it runs or not."""
    try:
        with reading(folder / DATABASE) as kept:
            return {key: json.loads(value.json or b"null") for key, value in kept.scan(plugin, "")}
    except StateUnavailable:
        return {}  # not made yet
