"""A Redis of our own on a free port of this machine."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.load import HOST
from benchmarks.mosquitto import until_it_listens


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
        until_it_listens(port, "Redis")
        yield f"redis://{HOST}:{port}/0"
    finally:
        process.terminate()
        process.wait()
