"""How long does it take from the shell to the first help, and to the first answer of a running platform?"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path

from benchmarks.bars import at_most
from benchmarks.commands import SECRET, commands, signed
from benchmarks.load import HOST
from benchmarks.measure import Contender, Figures, Race, Wrong
from benchmarks.servers import ROOT, installed

BOTPLATFORM = Path(sys.executable).with_name("botplatform")
WARM = b"It is warm in the kitchen."
PLUGIN = Path(__file__).parent / "cold_start" / "plugins" / "warm_room.py"
_WITHIN = 30.0

Serving = Callable[[int, Path], AbstractContextManager[subprocess.Popen[bytes]]]


def races() -> Iterator[Race]:
    """The command line beside bare Python, then servers with the first signed Slack command they answer."""
    with tempfile.TemporaryDirectory() as name:
        yield _help(Path(name))
        yield _first_answer(Path(name))


def _help(folder: Path) -> Race:
    venv.create(folder / "python", with_pip=False)
    bare = [str(folder / "python" / "bin" / "python"), "-c", "pass"]
    return Race(
        "start: botplatform --help",
        [
            Contender("bare Python", partial(_finished, bare, ""), "of an empty virtual environment"),
            Contender(
                "installed Python", partial(_finished, [sys.executable, "-c", "pass"], ""), "of this environment"
            ),
            Contender(
                "click", partial(_finished, [sys.executable, "-c", "import click"], ""), "imported, nothing else"
            ),
            Contender("the platform", partial(_finished, [str(BOTPLATFORM), "--help"], "Commands:")),
        ],
        bars=[at_most("the platform", 6, of="bare Python")],
    )


def _first_answer(folder: Path) -> Race:
    imports = [sys.executable, "-c", "import flask, boto3"]
    contenders = [
        Contender("flask and boto3", partial(_finished, imports, ""), "imported, nothing else"),
        Contender(
            "the platform", partial(_first_command, _ours, folder), "botplatform run, with an empty state folder"
        ),
    ]
    absent = {}
    if all(map(installed, ("slack_bolt", "waitress"))):
        note = "its Flask adapter behind waitress, nothing kept"
        contenders.append(Contender("slack_bolt", partial(_first_command, _bolt, folder), note))
    else:
        absent["slack_bolt"] = "it or waitress is not installed (benchmarks/README.md)"
    bars = [at_most("the platform", 1.5, of="flask and boto3")]
    return Race("start: the first Slack command is answered", contenders, absent, bars)


def _finished(command: Sequence[str], said: str) -> Figures:
    """What a process takes from its start to its end."""
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_WITHIN)
    seconds = time.perf_counter() - began
    if done.returncode or said not in done.stdout:
        raise Wrong(f"{command}: wanted {said!r}, got {done.stdout} {done.stderr}")
    return {"ms": seconds * 1000}


def _first_command(serving: Serving, folder: Path) -> Figures:
    """What passes from the start of a server until it has answered a signed command."""
    port = _free_port()
    began = time.perf_counter()
    with serving(port, Path(tempfile.mkdtemp(dir=folder))) as process:
        answer = _answer(process, port)
        seconds = time.perf_counter() - began
    if WARM not in answer:
        raise Wrong(f"{process.args!r}: wanted {WARM!r}, got {answer!r}")
    return {"ms": seconds * 1000}


def _answer(process: subprocess.Popen[bytes], port: int) -> bytes:
    """What a server answers to a command, which is sent as soon as it listens."""
    body = commands(1)[0]
    while process.poll() is None:
        try:
            with socket.create_connection((HOST, port), _WITHIN) as connection:
                connection.sendall(_post(body))
                return b"".join(iter(partial(connection.recv, 65536), b""))
        except ConnectionRefusedError:
            time.sleep(0.001)
    raise Wrong(f"{process.args!r} ended")


def _post(body: bytes) -> bytes:
    headers = {"host": HOST, "connection": "close", "content-length": str(len(body)), **signed(body)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /slack HTTP/1.1\r\n{lines}\r\n".encode() + body


@contextmanager
def _ours(port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    plugins = folder / "plugins"
    plugins.mkdir()
    shutil.copy(PLUGIN, plugins)
    settings = {"BOTPLATFORM_PORT": str(port), "MQTT_PORT": str(_free_port())}
    with _process([str(BOTPLATFORM), "run"], folder, settings) as process:
        yield process


@contextmanager
def _bolt(port: int, _folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with _process([sys.executable, "-m", "benchmarks.bolt_app", str(port)], ROOT, {}) as process:
        yield process


@contextmanager
def _process(command: Sequence[str], cwd: Path, settings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the end of the block; it has to stop cleanly when it is asked to."""
    environment = {**os.environ, "SLACK_SIGNING_SECRET": SECRET, **settings}
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, cwd=cwd, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(_WITHIN)


def _free_port() -> int:
    with closing(socket.create_server((HOST, 0))) as listener:
        port: int = listener.getsockname()[1]
        return port
