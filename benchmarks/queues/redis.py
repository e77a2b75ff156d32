"""A Redis of our own on a free port of this machine."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.load import HOST

_START_WITHIN = 20.0


def binary() -> str | None:
    """Where Redis is, None when it is not installed."""
    return shutil.which("redis-server")


@contextmanager
def server(folder: Path, fsync: str) -> Iterator[str]:
    """Run Redis until the end of the block, with `appendfsync` as given; gives its URL.

    `everysec`, the default, may lose the last second of what was acknowledged; `always` loses nothing (Redis
    documentation, "Redis persistence").
    """
    folder.mkdir()
    with closing(socket.create_server((HOST, 0))) as listener:
        port: int = listener.getsockname()[1]
    options = {"port": str(port), "bind": HOST, "dir": str(folder), "appendonly": "yes", "appendfsync": fsync}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    process = subprocess.Popen([str(binary()), *words, "--save", ""], stdout=subprocess.DEVNULL)
    try:
        _until_it_listens(port)
        yield f"redis://{HOST}:{port}/0"
    finally:
        process.terminate()
        process.wait()


def _until_it_listens(port: int) -> None:
    deadline = time.monotonic() + _START_WITHIN
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.01)
    raise TimeoutError("Redis does not listen")
