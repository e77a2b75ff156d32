"""The child process of the embedded broker: `python -m botplatform.hosts.local.broker_process CONFIG`.

It ends when its standard input does, that is with its parent, however that went.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading


def spawn(config: str) -> subprocess.Popen[bytes]:
    """The process that serves what the file `config` says, in rumqttd's words."""
    return subprocess.Popen([sys.executable, "-m", __name__, config], stdin=subprocess.PIPE)


def end(process: subprocess.Popen[bytes]) -> None:
    """End it, unless it has, and let go of its pipe; its ports are free afterwards."""
    with process:  # closes the pipe and waits
        process.kill()  # it keeps nothing that could be lost


def _serve(config: str) -> None:
    import iotcore

    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)  # it logs every packet as an error
    threading.Thread(target=_end_with_parent, daemon=True).start()
    iotcore.Broker(config_path=config).run_forever()


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing is ever written
    os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1])
