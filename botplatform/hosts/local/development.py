"""Keys for a machine without a Slack app or an Alexa skill: made once, kept in the state folder, trusted here only."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from botplatform.errors import StateUnavailable
from botplatform.hosts.local.doors import Verify
from botplatform.settings import Settings
from botplatform.sources.slack import signature

if TYPE_CHECKING:
    from botplatform.sources.alexa.development import Authority
    from botplatform.sources.alexa.signature import Verifier


def kept(path: Path) -> str:
    """A random text that stays the same for this state folder, readable by its owner only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text().strip()
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(16))
            file.flush()
            os.fsync(handle)  # with another client id after a power failure, a broker's session would be lost
        return path.read_text().strip()
    except OSError as error:
        raise StateUnavailable(f"the state folder {path.parent} cannot be used: {error.strerror}") from error


def slack_secret(settings: Settings) -> str:
    """The signing secret of the Slack app, or one of our own where none is set."""
    return settings.slack_signing_secret or kept(settings.state / "slack-development-secret")


def slack_verify(settings: Settings) -> Verify:
    """What checks requests to /slack."""
    return partial(signature.verify, slack_secret(settings))


def alexa_authority(settings: Settings) -> Authority:
    """The authority that signs like Amazon, for this state folder."""
    from botplatform.sources.alexa.development import Authority

    settings.state.mkdir(parents=True, exist_ok=True)
    return Authority.open(settings.state, datetime.now(UTC))


def alexa_verify(settings: Settings) -> Verify:
    """What checks requests to /alexa: Amazon's signatures where a skill is set, else only our own.

    Cryptography is imported, and keys are made, with the first request: that takes longer than all the rest of a start.
    """
    verifier = cache(partial(_alexa_verifier, settings))
    return lambda headers, body, now: verifier().verify(headers, body, now)


def _alexa_verifier(settings: Settings) -> Verifier:
    from botplatform.sources.alexa import chain
    from botplatform.sources.alexa.signature import Verifier

    if settings.alexa_skill_ids:
        return Verifier(settings.alexa_skill_ids, chain.download)
    authority = alexa_authority(settings)
    return Verifier((), authority.chain, authority.roots)
