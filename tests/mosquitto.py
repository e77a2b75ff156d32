"""A real Mosquitto for tests: on a free port of this machine, with the configuration a test asks for."""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"


def eventually(condition: Callable[[], object], seconds: float = 20, about: Callable[[], object] = str) -> None:
    """Wait until something holds; fail when it does not in that time, and say what there is to say `about` it."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"it did not happen within {seconds} s {about()}")
        time.sleep(0.01)


class Mosquitto:
    """One broker with its persistent state in a folder; it can be stopped and started again on the same port."""

    def __init__(self, folder: Path, lines: Iterable[str] = (), scheme: str = "mqtt") -> None:
        """`lines` belong to the listener: users, certificates, ACLs; without any, everybody may connect."""
        self.port = free_port()
        self.url = f"{scheme}://{HOST}:{self.port}"
        self._folder = folder
        self._config = folder / "mosquitto.conf"
        self._process: subprocess.Popen[bytes] | None = None
        own = ["user root"] if os.geteuid() == 0 else []
        who = list(lines) or ["allow_anonymous true"]
        self._config.write_text("\n".join([*_GLOBAL, *own, f"persistence_location {folder}/", *self._listener(who)]))

    def start(self) -> None:
        """Start it and wait until it listens."""
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen([_binary("mosquitto"), "-c", self._config], stdout=log, stderr=log)
        eventually(self._listens)

    def stop(self) -> None:
        """Stop it the way an administrator does: it saves its state."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a chance to save anything."""
        self._end(signal.SIGKILL)

    def forget(self) -> None:
        """Lose the saved state, as a broker without persistence does."""
        (self._folder / "mosquitto.db").unlink()

    def freeze(self) -> None:
        """Keep it from doing anything, with its connections open, until `thaw`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def publish(self, topic: str, *payloads: str, qos: int = 1, more: Iterable[str] = ()) -> None:
        """Publish messages as somebody else does."""
        publish(self.port, topic, *payloads, qos=qos, more=more)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.send_signal(signal.SIGCONT)  # a frozen one would end only when thawed
            self._process.wait(timeout=20)
            self._process = None

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "mosquitto.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) == 0

    def _listener(self, lines: list[str]) -> list[str]:
        return [f"listener {self.port} {HOST}", *lines, ""]


# Without per_listener_settings, Mosquitto 2.0.11 reads what stands below a listener as meant for all of them.
_GLOBAL = [
    "per_listener_settings true",
    "persistence true",
    "max_inflight_messages 1000",
    "max_queued_messages 0",
    "set_tcp_nodelay true",
    "log_type all",
]


def publish(port: int, topic: str, *payloads: str, qos: int = 1, more: Iterable[str] = ()) -> None:
    """Publish one message for each payload to a broker on this machine, with mosquitto_pub and MQTT 3.1.1."""
    command = [_binary("mosquitto_pub"), "-h", HOST, "-p", str(port), "-t", topic, "-q", str(qos), "-l", *more]
    subprocess.run(command, input="".join(f"{payload}\n" for payload in payloads).encode(), check=True, timeout=60)


def password_file(folder: Path, user: str, password: str) -> Path:
    """The file of users for `password_file` in the configuration."""
    file = folder / "passwords"
    subprocess.run([_binary("mosquitto_passwd"), "-b", "-c", file, user, password], check=True, timeout=60)
    return file


@dataclass(frozen=True)
class Certificates:
    """PEM files: an authority, another one nobody trusts, and a key and certificate of a server and of a client."""

    ca: Path
    stranger: Path
    server: Path
    client: Path


def issue_certificates(folder: Path) -> Certificates:
    """Make a server certificate for 127.0.0.1 (not for localhost), a client's, and their authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    authority = _issue("the authority", key, "the authority", key)
    stranger_key = ec.generate_private_key(ec.SECP256R1())
    stranger = _issue("a stranger", stranger_key, "a stranger", stranger_key)
    files = Certificates(*(folder / f"{name}.pem" for name in ("ca", "stranger", "server", "client")))
    files.ca.write_bytes(authority.public_bytes(Encoding.PEM))
    files.stranger.write_bytes(stranger.public_bytes(Encoding.PEM))
    for name, file in (("server", files.server), ("client", files.client)):
        own_key = ec.generate_private_key(ec.SECP256R1())
        own = _issue(name, own_key, "the authority", key)
        secret = own_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(secret + own.public_bytes(Encoding.PEM))
    return files


def _issue(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    start = datetime.now(UTC) - timedelta(hours=1)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
    builder = (
        x509.CertificateBuilder(_name(issuer), _name(name), key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=key is issuer_key, path_length=None), critical=True)
        .add_extension(address, critical=False)
    )
    return builder.sign(issuer_key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _binary(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None and os.environ.get("CI"):
        pytest.fail(f"{name} is not installed, and CI has to run this test")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
