"""What needs a whole platform, as targets: its HTTP, and the keys it trusts."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from botplatform.errors import Rejected
from botplatform.hosts.local.development import alexa_authority
from botplatform.sources.alexa.development import Authority
from botplatform.sources.alexa.signature import Verifier
from tests.fuzz import samples
from tests.fuzz.app import App
from tests.fuzz.target import Came, Target, refused

# Reading all that was kept takes longer than a request.
_CHECK_EVERY = 100


def platform_targets(app: App) -> list[Target]:
    """The targets that are parts of a running platform."""
    authority = alexa_authority(app.platform.settings)
    return [
        Target("chain", [authority.chain(authority.url)], partial(_chain, authority)),
        Target("http", samples.requests(), _Http(app), 8),
    ]


def _chain(authority: Authority, pem: bytes) -> Came:
    """The certificates that are at the address in a request; none of them signed this one."""
    headers = {"SignatureCertChainUrl": authority.url, "Signature-256": "AAAA"}
    try:
        Verifier((), lambda _: pem, authority.roots).verify(headers, b"{}", datetime.now(UTC))
    except Rejected as error:
        return refused(error)
    raise AssertionError("what nobody signed was trusted")


class _Http:
    """Requests to the platform; now and then all that it kept is read again."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._asked = 0

    def __call__(self, text: bytes) -> Came:
        answer = self._app.ask(text)
        self._asked += 1
        if self._asked % _CHECK_EVERY == 0:
            self._app.check_kept()
        if answer.status < 400:
            return Came(accepted=1)
        assert text.startswith(b"HEAD ") or answer.error, "refused without a sentence"
        return Came(rejected=1)
