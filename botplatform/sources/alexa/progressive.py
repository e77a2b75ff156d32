"""Alexa's progressive response: what she says while a handler is still at work.

The rules are Amazon's: Alexa Skills Kit, "Send the User a Progressive Response" and "Progressive Response REST API
Reference". Only somebody who opened the skill or said an intent can be told, and only until the answer is there.
"""

from __future__ import annotations

from botplatform import codec
from botplatform.event import Event
from botplatform.source import Post, text_at

WORDS = "I am still working on it."
_TYPES = ("com.amazon.alexa.LaunchRequest", "com.amazon.alexa.IntentRequest")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def meanwhile(event: Event) -> Post | None:
    """The request that has Alexa say so; None for a kind of request where she cannot, or whose API is not Amazon's."""
    api, token = (text_at(event.data, "context", "System", name) for name in ("apiEndpoint", "apiAccessToken"))
    if event.type not in _TYPES or not api or not token or not _is_trusted(api):
        return None
    directive = {"type": "VoicePlayer.Speak", "speech": f"<speak>{WORDS}</speak>"}
    body = codec.encode({"header": {"requestId": event.id}, "directive": directive})
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    return Post(f"{api.rstrip('/')}/v1/directives", headers, body)


def _is_trusted(api: str) -> bool:
    """Whether a token may go there: to Amazon alone, or to this machine, which the development keys sign for."""
    from urllib.parse import urlsplit

    try:
        url = urlsplit(api)
        host, port = url.hostname or "", url.port
    except ValueError:
        return False
    if host in _LOOPBACK:
        return url.scheme in ("http", "https")
    amazons = host.endswith(".amazonalexa.com") or host == "api.fe.amazon.com"
    return amazons and url.scheme == "https" and port in (None, 443) and "@" not in url.netloc
