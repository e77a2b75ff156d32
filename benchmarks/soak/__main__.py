"""`python -m benchmarks.soak`: measures what the platform can do, then runs it at half of that and watches it."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from benchmarks import mosquitto
from benchmarks.__main__ import machine
from benchmarks.measure import Wrong
from benchmarks.soak.crew import Crew
from benchmarks.soak.speaking import SECRET, TURN, Speaker
from benchmarks.soak.watching import counted, taken
from botplatform.settings import Settings

PLUGINS = Path(__file__).parent / "plugins"
SPEAKERS = 8
_FULL_SPEED = 30.0
_CATCH_UP = 120.0


def main() -> int:
    """Soak for as long as was asked for; 1 when something was lost, doubled, or not answered."""
    options = _options()
    try:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            port = stack.enter_context(mosquitto.broker(Path(folder)))
            soak = stack.enter_context(_soak(Path(folder) / "state", port))
            result = {"machine": machine(), **soak.run(options.minutes * 60, options.every)}
    except Wrong as wrong:
        print(f"\nwrong: {wrong}", file=sys.stderr)
        return 1
    options.json.write_text(json.dumps(result, indent=1) + "\n")
    for line in _summary(result):
        print(line)
    return 0


class Soak:
    """A platform in a process of its own, and those who speak to it."""

    def __init__(self, process: subprocess.Popen[bytes], state: Path, crew: Crew) -> None:
        self._process = process
        self._state = state
        self._crew = crew

    def run(self, seconds: float, every: float) -> dict[str, Any]:
        """Measure the capacity, then take a sample `every` so many seconds at half of it; raises Wrong."""
        began, before = time.monotonic(), self._crew.turns
        self._crew.speak(_FULL_SPEED)
        self._until_counted()
        capacity = (self._crew.turns - before) / (time.monotonic() - began)
        self._crew.took()
        samples = list(self._samples(seconds, every, capacity / 2))
        self._until_counted()
        return {
            "capacity events/s": capacity * TURN.total(),
            "load events/s": capacity / 2 * TURN.total(),
            "events": self._crew.turns * TURN.total(),
            "samples": samples,
        }

    def _samples(self, seconds: float, every: float, pace: float) -> Iterator[dict[str, float]]:
        began = time.monotonic()
        failures: list[BaseException] = []
        speaking = Thread(target=_caught, args=(lambda: self._crew.speak(seconds, pace), failures))
        speaking.start()
        while speaking.is_alive():
            speaking.join(every)
            yield self._sample(time.monotonic() - began)
        if failures:
            raise Wrong(f"{type(failures[0]).__name__}: {failures[0]}")

    def _sample(self, at: float) -> dict[str, float]:
        if self._process.poll() is not None:
            raise Wrong(f"the platform ended with {self._process.returncode}")
        took = self._crew.took() or [0.0, 0.0]
        percentiles = statistics.quantiles(took, n=100)
        sample = {
            "minutes": at / 60,
            "events": self._crew.turns * TURN.total(),
            "p50 ms": percentiles[49] * 1000,
            "p99 ms": percentiles[98] * 1000,
            **taken(self._process.pid, self._state)._asdict(),
        }
        if sys.stderr.isatty():
            told = ", ".join(f"{name} {value:,.1f}" for name, value in sample.items())
            print(f"\r\033[K{told}", end="", file=sys.stderr, flush=True)
        return sample

    def _until_counted(self) -> None:
        """Wait until everything that was said is in the state, and nothing else; raises Wrong."""
        wanted = Counter({name: self._crew.turns * times for name, times in TURN.items()})
        end = time.monotonic() + _CATCH_UP
        while (found := self._found()) != wanted:
            if time.monotonic() > end or any(found[name] > wanted[name] for name in wanted):
                raise Wrong(f"sent {dict(wanted)}, counted {dict(found)}")
            time.sleep(0.05)

    def _found(self) -> Counter[str]:
        found = counted(self._state)
        found.pop("ticks", None)
        return found


def _caught(act: Any, failures: list[BaseException]) -> None:
    try:
        act()
    except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
        failures.append(error)


@contextmanager
def _soak(state: Path, broker_port: int) -> Iterator[Soak]:
    """Start a platform and its speakers; both are gone at the end of the block."""
    values = {
        "BOTPLATFORM_STATE": str(state),
        "BOTPLATFORM_PORT": "0",
        "MQTT_URL": f"mqtt://{mosquitto.HOST}:{broker_port}",
        "SLACK_SIGNING_SECRET": SECRET,
        "BOTPLATFORM_RECIPIENTS": "owner=+15550100",
        "PATH": "/usr/bin:/bin",
    }
    command = [sys.executable, "-m", "botplatform", "run", "--plugins", str(PLUGINS)]
    with ExitStack() as stack:
        log = stack.enter_context((state.parent / "platform.log").open("wb"))
        process = subprocess.Popen(command, env=values, stdout=log, stderr=log, cwd=state.parent)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        url = _url(state, process)
        settings = Settings.read(values)
        speakers = [stack.enter_context(closing(Speaker(url, broker_port, settings, n))) for n in range(SPEAKERS)]
        yield Soak(process, state, Crew(speakers))


def _url(state: Path, process: subprocess.Popen[bytes]) -> str:
    """Where the platform is, once it says so."""
    announced = state / "running.json"
    while process.poll() is None:
        if announced.exists() and announced.read_text():
            return str(json.loads(announced.read_text())["url"])
        time.sleep(0.05)
    raise Wrong("the platform did not start: " + (state.parent / "platform.log").read_text()[-1000:])


def _summary(result: dict[str, Any]) -> Iterator[str]:
    yield f"capacity {result['capacity events/s']:,.0f} events/s, soaked at {result['load events/s']:,.0f}"
    samples = result["samples"]
    third = max(1, len(samples) // 3)
    yield f"{result['events']:,} events in {samples[-1]['minutes']:.0f} minutes, each counted once"
    yield "| | first third | last third | ratio |"
    yield "|---|---|---|---|"
    for name in ("memory", "files", "threads", "p50 ms", "p99 ms"):
        first, last = (statistics.median(s[name] for s in part) for part in (samples[:third], samples[-third:]))
        yield f"| {name} | {first:,.1f} | {last:,.1f} | {last / first:.2f} |"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="how long (60)")
    parser.add_argument("--every", type=float, default=10, help="seconds between two samples (10)")
    parser.add_argument("--json", type=Path, default=Path("docs/soak.json"), help="where to (docs/soak.json)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
