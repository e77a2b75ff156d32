"""Slack messages: through the Web API or a response_url, or, without a bot token, to the outbox the console shows."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from botplatform.effect import Effect
from botplatform.errors import Rejected, Retry

API = "https://slack.com/api/"
_HOOKS = "hooks.slack.com"
_UNREACHABLE = (OSError, HTTPException)


def effect(settings: Mapping[str, str], timeout: int = 10) -> Effect:
    """The effect `slack`: arguments of `chat.postMessage`, or `response_url` and a message to answer with.

    `timeout` is how many seconds Slack may take to answer.
    """
    token = settings.get("SLACK_BOT_TOKEN", "")
    base_url = settings.get("SLACK_API_URL") or API
    connected = bool(token or settings.get("SLACK_SIGNING_SECRET"))

    def perform(arguments: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        if "response_url" in arguments and connected:
            return _respond(arguments, urlsplit(base_url).netloc, timeout)
        if token and "channel" in arguments:
            return _post({"token": token, "base_url": base_url, "timeout": timeout}, arguments, key)
        return {"via": "outbox"}

    return Effect("slack", perform, "Slack" if token else "the outbox")


def _post(api: Mapping[str, Any], arguments: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    from slack_sdk import WebClient
    from slack_sdk.errors import SlackApiError

    _quieten()
    # The same id for every try: Slack shows a message with a client_msg_id it has seen only once.
    message = {**arguments, "client_msg_id": str(uuid.uuid5(uuid.NAMESPACE_URL, key))}
    try:
        # Not chat_postMessage(), which warns of every message that has blocks and no text.
        answer = WebClient(**api).api_call("chat.postMessage", json=message)
    except SlackApiError as error:
        raise _by_cause(error.response.status_code, error.response.headers, error.response.get("error")) from error
    except _UNREACHABLE as error:
        raise Retry(f"Slack cannot be reached: {error}") from error
    return {"via": "slack", "ts": answer.get("ts")}


def _quieten() -> None:
    """The SDK logs an error for what it raises besides; whoever performs the effect says it, and says it better."""
    from logging import CRITICAL, getLogger

    getLogger("slack_sdk").setLevel(CRITICAL)


def _respond(arguments: Mapping[str, Any], trusted: str, timeout: int) -> Mapping[str, Any]:
    from slack_sdk.webhook import WebhookClient

    url = urlsplit(arguments["response_url"])
    # The address came in with a request; a signed one, but it still must not make us call just anybody.
    if url.netloc != trusted and (url.scheme, url.netloc) != ("https", _HOOKS):
        raise Rejected(f"{url.netloc} is not where Slack takes answers")
    body = {name: value for name, value in arguments.items() if name != "response_url"}
    try:
        answer = WebhookClient(arguments["response_url"], timeout=timeout).send_dict(body)
    except _UNREACHABLE as error:
        raise Retry(f"Slack cannot be reached: {error}") from error
    if answer.status_code != 200:
        raise _by_cause(answer.status_code, answer.headers, answer.body)
    return {"via": "slack"}


def _by_cause(status: int, headers: Mapping[str, Any], reason: Any) -> Retry | Rejected:
    """Too many requests, faults of the service and answers of others pass; everything else is ours to mend."""
    if status == 200 and not str(reason).isidentifier():
        return Retry(f"Slack: {reason}")  # no error of Slack's has blanks: a network that wants a login answered
    if status == 429:
        return Retry("Slack: too many requests", after=float(headers.get("Retry-After", 1)))
    if status >= 500 or reason in ("ratelimited", "service_unavailable", "internal_error", "fatal_error"):
        return Retry(f"Slack: {reason or status}")
    return Rejected(f"Slack: {reason or status}")
