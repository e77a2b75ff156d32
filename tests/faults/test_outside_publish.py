"""A process that dies while it publishes: with QoS 2 everybody hears each message once, with QoS 1 at least once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.faults.report import Fault, Report
from tests.faults.teller import POINTS, TELLER, Errand
from tests.hosts.local.running import written
from tests.mosquitto import Mosquitto, eventually

ROOT = Path(__file__).resolve().parents[2]
BATCH = 8
CASES = [(version, qos, point) for version, qos in (("5", 1), ("5", 2), ("3.1.1", 2)) for point in POINTS[qos]]


class Listener:
    """Somebody else on the broker, who counts what is told."""

    def __init__(self, port: int) -> None:
        self.heard: list[int] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="listener")
        self._client.on_message = lambda _client, _data, message: self.heard.append(int(message.payload))
        self._client.on_subscribe = lambda *_: self.heard.append(-1)
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("told/#", 2)
        self._client.loop_start()
        eventually(lambda: self.heard == [-1])
        self.heard.clear()

    def close(self) -> None:
        """Hang up."""
        self._client.disconnect()
        self._client.loop_stop()


class Stage:
    """A teller, its broker, and a listener."""

    def __init__(self, folder: Path, mosquitto: Mosquitto, listener: Listener, version: str) -> None:
        written(folder, {"teller": TELLER})
        ports = {"BOTPLATFORM_PORT": "0", "BOTPLATFORM_STATE": str(folder / "state")}
        environment = {**os.environ, **ports, "MQTT_URL": mosquitto.url, "MQTT_VERSION": version}
        command = [sys.executable, "-m", "tests.faults.teller", str(folder)]
        self.mosquitto = mosquitto
        self.log = folder / "log"
        self.told = 0
        self._listener = listener
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def send(self, errand: Errand) -> int:
        """Have a life begin, and end; returns its status."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(errand.to_json() + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline() or self.log.read_text())

    def kill(self, qos: int, point: str) -> None:
        """A life with more to tell, that is killed at a point."""
        self.told += BATCH
        errand = Errand(qos, self.told - BATCH, self.told, point, random.randint(1, BATCH // 2))
        assert self.send(errand) == -signal.SIGKILL, self.log.read_text()

    def settle(self, qos: int) -> Counter[int]:
        """One life more, that tells all; returns how often each number was heard."""
        assert self.send(Errand(qos, 0, self.told)) == 0, self.log.read_text()
        self.mosquitto.publish("told/end", "-1", qos=2)  # with QoS 1 it would overtake
        eventually(lambda: -1 in self._listener.heard)
        return Counter(number for number in self._listener.heard if number >= 0)

    def close(self) -> None:
        """End everything."""
        self.process.kill()
        self.process.communicate(timeout=20)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Callable[[str], Stage]]:
    with ExitStack() as ending:

        def make(version: str) -> Stage:
            mosquitto = Mosquitto(tmp_path)
            mosquitto.start()
            ending.callback(mosquitto.stop)
            listener = Listener(mosquitto.port)
            ending.callback(listener.close)
            stage = Stage(tmp_path, mosquitto, listener, version)
            ending.callback(stage.close)
            return stage

        yield make


def play(stage: Stage, qos: int, point: str, runs: int) -> tuple[int, int]:
    """Kill so many lives at one point; returns how many numbers were never heard, and how many once too often."""
    for _ in range(runs):
        stage.kill(qos, point)
    heard = stage.settle(qos)
    return sum(number not in heard for number in range(stage.told)), heard.total() - len(heard)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("version", "qos", "point"), CASES)
def test_a_process_killed_while_it_publishes_loses_nothing_and_with_qos_2_doubles_nothing(
    stage: Callable[[str], Stage], version: str, qos: int, point: str, fault_runs: int, fault_report: Report
) -> None:
    runs = max(2, fault_runs // 2)
    lost, doubled = play(stage(version), qos, point, runs)

    name = f"MQTT {version} out, QoS {qos}: SIGKILL, {point}"
    fault = Fault(name, runs, lost, duplicated_effects=doubled, unexcused=doubled if qos == 2 else 0)
    fault_report.note(fault)
    assert not fault.breaks_the_promise, fault
