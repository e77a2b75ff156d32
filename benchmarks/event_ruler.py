"""AWS's event-ruler, the matcher of EventBridge, in a Java process that stays warm and answers round by round."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from benchmarks.servers import ROOT

CLASSPATH = "EVENT_RULER_CLASSPATH"
HARNESS = ROOT / "benchmarks" / "java" / "EventRuler.java"
ABSENT = (
    f"{CLASSPATH} does not name the jars of software.amazon.event.ruler:event-ruler (Maven Central) and of what it "
    "needs, or there is no JDK to run them"
)


class EventRuler:
    """A machine of event-ruler with its patterns, over the same events each time.

    `counts` are how many patterns each event matches, `compiled` how many seconds of CPU time adding them took.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        said = self._answer()
        self.counts: list[int] = said["counts"]
        self.compiled: float = said["compile_ns"] / 1e9

    def match(self, events: Literal["text", "tree"]) -> tuple[float, int]:
        """Match all events once, from their text or parsed: the seconds of CPU time it took, and the matches."""
        assert self._process.stdin
        print(events, file=self._process.stdin, flush=True)
        said = self._answer()
        return said["ns"] / 1e9, said["matches"]

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("event-ruler ended: what it wrote above says why")
        answer: dict[str, Any] = json.loads(line)
        return answer


def is_there(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the jars are named and Java can compile and run the harness."""
    return bool(environment.get(CLASSPATH) and shutil.which("javac") and shutil.which("java"))


@contextmanager
def running(patterns: Sequence[Mapping[str, Any]], bodies: Sequence[bytes], folder: Path) -> Iterator[EventRuler]:
    """Run a machine with these patterns until the end of the block; `folder` is for the files it reads."""
    rules, events = folder / "patterns.jsonl", folder / "events.jsonl"
    rules.write_text("".join(f"{json.dumps(pattern)}\n" for pattern in patterns))
    events.write_bytes(b"".join(body + b"\n" for body in bodies))
    # A Java source file runs as it is; the serial collector has no threads beside the one that is measured.
    command = [
        "java",
        "-XX:+UseSerialGC",
        "-Xmx2g",
        "-cp",
        os.environ[CLASSPATH],
        str(HARNESS),
        str(rules),
        str(events),
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield EventRuler(process)
    finally:
        process.terminate()
        process.wait()
