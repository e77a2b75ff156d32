"""Which brokers can be written down, and what never shows."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from botplatform.errors import InvalidSettings
from botplatform.hosts.mqtt.connection import Connection


@pytest.mark.parametrize(
    ("url", "parts", "address"),
    [
        ("mqtt://broker.example", ("broker.example", 1883, None, None), "mqtt://broker.example:1883"),
        ("mqtts://broker.example", ("broker.example", 8883, None, None), "mqtts://broker.example:8883"),
        ("mqtt://me:p%40ss@[::1]:1884", ("::1", 1884, "me", "p@ss"), "mqtt://[::1]:1884"),
        ("mqtt://me@broker.example/", ("broker.example", 1883, "me", None), "mqtt://broker.example:1883"),
    ],
)
def test_a_url_says_host_port_user_and_password(url: str, parts: tuple[Any, ...], address: str) -> None:
    connection = Connection(url, client_id="c")

    assert (connection.host, connection.port, connection.username, connection.password) == parts
    assert connection.address == address


def test_the_password_does_not_show() -> None:
    shown = repr(Connection("mqtts://me:s3cret@broker.example", client_id="c"))

    assert shown == "<Connection mqtts://me:***@broker.example:8883 as 'c', MQTT 5>"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"url": "http://me:s3cret@broker.example"}, "written mqtt://host:1883"),
        ({"url": "mqtt://me:s3cret@"}, "written mqtt://host:1883"),
        ({"url": "mqtt://me:s3cret@broker.example:port"}, "written mqtt://host:1883"),
        ({"ca_file": "ca.pem"}, "certificates are for TLS"),
        ({"url": "mqtts://broker.example", "key_file": "key.pem"}, "key.pem is the key of no certificate"),
        ({"client_id": ""}, "wants a client id"),
        ({"version": "3.1"}, 'is "5" or "3.1.1"'),
        ({"keepalive": 0}, "1 to 65535 seconds"),
    ],
)
def test_what_cannot_work_is_refused_without_telling_the_password(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidSettings, match=says) as refusal:
        Connection(**{"url": "mqtt://me:s3cret@broker.example", "client_id": "c"} | changes)

    assert "s3cret" not in str(refusal.value)


def test_a_missing_certificate_file_is_said_in_a_sentence(tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    connection = Connection("mqtts://broker.example", client_id="c", ca_file=str(missing))
    with pytest.raises(InvalidSettings, match=f"cannot be read from {missing}"):
        connection.tls()


def test_tls_is_1_2_at_least_and_checks_certificate_and_host_name() -> None:
    tls = Connection("mqtts://broker.example", client_id="c").tls()

    assert tls is not None
    assert (tls.minimum_version, tls.verify_mode, tls.check_hostname) == (
        ssl.TLSVersion.TLSv1_2,
        ssl.CERT_REQUIRED,
        True,
    )


def test_without_mqtts_there_is_no_tls() -> None:
    assert Connection("mqtt://broker.example", client_id="c").tls() is None
