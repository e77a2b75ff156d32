"""Where an MQTT broker is, and what it takes to be let in."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from socket import socket
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

from botplatform.errors import InvalidSettings
from botplatform.settings import Settings

LONGEST_WAIT: Final = 60.0
_PORTS = {"mqtt": 1883, "mqtts": 8883}


def backoff(failures: int, luck: float) -> float:
    """The seconds to wait after that many failures in a row: 1 to 2, then about twice as long each time, 60 at most.

    `luck`, from 0 to 1, spreads the clients of a broker that comes back.
    """
    return min(LONGEST_WAIT, 2.0 ** min(failures, 10)) * (1 + luck) / 2


@dataclass(frozen=True, repr=False)
class Connection:
    """How to reach a broker: raises InvalidSettings for what cannot work.

    `url` is `mqtt://user:password@host:1883`, or `mqtts://host:8883` for TLS; special characters in the user and the
    password are percent-encoded. `client_id` is what the broker knows the session by: the same at each start, and no
    two programs have the same. `ca_file`, `cert_file` and `key_file` are PEM files: whom to trust instead of the
    authorities this machine trusts, and who we are. `version` is that of MQTT, `keepalive`, 1 to 65,535, is in
    seconds. `max_qos` is the highest QoS to publish with, `user_properties` says whether MQTT 5 user properties may go
    out with a message: there are brokers that cannot do what they should. The broker may be our `own`: then it is no
    news that it can be reached.
    """

    url: str
    client_id: str
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    version: Literal["5", "3.1.1"] = "5"
    keepalive: int = 60
    max_qos: int = 2
    user_properties: bool = True
    own: bool = False

    def __post_init__(self) -> None:
        if problem := self._problem():
            raise InvalidSettings(problem)

    def __repr__(self) -> str:
        login = f"{self.username}:***@" if self.password else f"{self.username}@" if self.username else ""
        return f"<Connection {self.address.replace('//', '//' + login)} as {self.client_id!r}, MQTT {self.version}>"

    @classmethod
    def of(cls, settings: Settings, client_id: str) -> Connection:
        """How to reach the broker in the settings."""
        version: Literal["5", "3.1.1"] = "3.1.1" if settings.mqtt_version == "3.1.1" else "5"
        files = settings.mqtt_ca_file, settings.mqtt_cert_file, settings.mqtt_key_file
        return cls(settings.mqtt_url, client_id, *files, version)

    @property
    def address(self) -> str:
        """The URL without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self._scheme}://{host}:{self.port}"

    @property
    def host(self) -> str:
        """The host name or IP address."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port given, or the usual one."""
        return urlsplit(self.url).port or _PORTS[self._scheme]

    @property
    def username(self) -> str | None:
        """The user, decoded."""
        name = urlsplit(self.url).username
        return unquote(name) if name else None

    @property
    def password(self) -> str | None:
        """The password, decoded."""
        password = urlsplit(self.url).password
        return unquote(password) if password else None

    def tls(self) -> ssl.SSLContext | None:
        """What checks certificate and host name of the broker, from TLS 1.2 on; None for a connection without TLS.

        Raises InvalidSettings when a file cannot be read.
        """
        if self._scheme != "mqtts":
            return None
        context = _Context(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            if self.ca_file:
                context.load_verify_locations(self.ca_file)
            else:
                context.load_default_certs()
            if self.cert_file:
                context.load_cert_chain(self.cert_file, self.key_file)
        except OSError as error:
            files = ", ".join(file for file in (self.ca_file, self.cert_file, self.key_file) if file)
            raise InvalidSettings(
                f"the certificates for {self.address} cannot be read from {files}: {error}"
            ) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    @property
    def carries_properties(self) -> bool:
        """Whether a message can have user properties."""
        return self.version == "5" and self.user_properties

    @property
    def _scheme(self) -> str:
        return urlsplit(self.url).scheme

    def _problem(self) -> str | None:
        if not _is_broker(self.url):
            return "an MQTT broker is written mqtt://host:1883, or mqtts://host:8883 for TLS"
        if self._scheme == "mqtt" and (self.ca_file or self.cert_file or self.key_file):
            return f"certificates are for TLS: write mqtts:// instead of {self.address}"
        if self.key_file and not self.cert_file:
            return f"{self.key_file} is the key of no certificate: give the certificate too"
        if not self.client_id:
            return f"{self.address} wants a client id: without one the broker keeps no session"
        if self.version not in ("5", "3.1.1"):
            return f'the MQTT version is "5" or "3.1.1", not {self.version!r}'
        if not 1 <= self.keepalive <= 65_535:  # MQTT 5.0, 3.1.2.10; 0 would leave a dead connection unnoticed
            return f"the keepalive of {self.address} is 1 to 65535 seconds, not {self.keepalive}"
        return None


class _Context(ssl.SSLContext):
    """Shakes hands when it wraps a socket: should that fail, ssl closes the socket, which paho would leave open."""

    def wrap_socket(self, sock: socket, *args: Any, **options: Any) -> ssl.SSLSocket:
        return super().wrap_socket(sock, *args, **options | {"do_handshake_on_connect": True})


def _is_broker(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
