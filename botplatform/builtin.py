"""The platform's own sources, effects and stores, offered through the same hooks a third party would use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from botplatform.hookspecs import hookimpl

if TYPE_CHECKING:
    from botplatform.effect import Effect, Host
    from botplatform.source import Source
    from botplatform.store import OpenStore, Store


@hookimpl
def sources() -> list[Source]:
    """The built-in sources."""
    from botplatform.sources import alexa, cloudevents, cloudtrail, mqtt, schedule, slack

    return [module.SOURCE for module in (slack, alexa, mqtt, cloudtrail, schedule, cloudevents)]


@hookimpl
def effects(settings: Mapping[str, str], host: Host | None) -> list[Effect]:
    """The built-in effects."""
    from botplatform.effects import emit, publish, slack, text

    return [text.effect(settings), slack.effect(settings), publish.effect(host), emit.effect(host)]


@hookimpl
def stores() -> dict[str, OpenStore]:
    """The built-in stores, by URL scheme."""
    return {"sqlite": _open_sqlite, "dynamodb": _open_dynamodb}


def _open_dynamodb(url: str, settings: Mapping[str, str]) -> Store:
    from botplatform.aws import client
    from botplatform.stores.dynamodb import DynamoStore

    return DynamoStore(url.removeprefix("dynamodb:"), client("dynamodb", settings))


def _open_sqlite(url: str, _: Mapping[str, str]) -> Store:
    from botplatform.stores.sqlite import SqliteStore

    return SqliteStore(Path(url.removeprefix("sqlite:")))
