"""The settings of a function: its environment, and the secrets that are not in it, fetched when first asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from botplatform import codec
from botplatform.errors import InvalidSettings, Retry
from botplatform.hosts.aws_lambda.signed import Request, post
from botplatform.source import text_at
from botplatform.values import NamedTuple

# How long a secret counts as current, and how soon it may be asked for again when it seems not to be; seconds.
CURRENT_FOR = 15 * 60
RENEWED_AFTER = 60
# Slack waits 3 seconds in all.
_TIMEOUT = 2.0


class _Secret(NamedTuple):
    value: str
    fetched: float


class Environment(Mapping[str, str]):
    """The environment as it was passed in; the names in `BOTPLATFORM_SECRETS` are read from where it says.

    `BOTPLATFORM_SECRETS` is `NAME=ssm:/path,OTHER=secretsmanager:name`. Reading one raises Retry when it cannot be
    fetched. `clock` counts seconds.
    """

    def __init__(self, environment: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        self._environment = environment
        self._clock = clock
        self._places = _places(environment.get("BOTPLATFORM_SECRETS", ""))
        self._fetched: dict[str, _Secret] = {}

    def __getitem__(self, name: str) -> str:
        if name not in self._places:
            return self._environment[name]
        known = self._fetched.get(name)
        if known is None or self._clock() - known.fetched > CURRENT_FOR:
            known = self._fetch(name, known)
        return known.value

    def __contains__(self, name: object) -> bool:
        return name in self._places or name in self._environment

    def __iter__(self) -> Iterator[str]:
        return iter({**self._environment, **self._places})

    def __len__(self) -> int:
        return len({**self._environment, **self._places})

    def __repr__(self) -> str:
        return f"<Environment, secrets: {', '.join(self._places) or 'none'}>"

    def renew(self, name: str) -> bool:
        """Fetch a secret that seems to have been changed, not more than once a minute; whether it has."""
        known = self._fetched.get(name)
        if name not in self._places or known is None or self._clock() - known.fetched < RENEWED_AFTER:
            return False
        return self._fetch(name, known).value != known.value

    def _fetch(self, name: str, known: _Secret | None) -> _Secret:
        """Fetch a secret; while that fails, the one known before serves for another minute."""
        store, place = self._places[name]
        try:
            value = _READERS[store](self._environment, place)
        except Retry as failed:
            if known is None:
                raise Retry(f"the secret {name} cannot be read: {failed}") from failed
            self._fetched[name] = known._replace(fetched=self._clock() - CURRENT_FOR + RENEWED_AFTER)
        else:
            self._fetched[name] = _Secret(value, self._clock())
        return self._fetched[name]


def _places(text: str) -> dict[str, tuple[str, str]]:
    """Where each secret is, in `NAME=ssm:/path,OTHER=secretsmanager:name`; raises InvalidSettings."""
    places = {}
    for entry in filter(None, (entry.strip() for entry in text.split(","))):
        name, _, where = entry.partition("=")
        store, _, place = where.partition(":")
        if not name or store not in _READERS or not place:
            raise InvalidSettings(f"BOTPLATFORM_SECRETS: {name!r} is in neither ssm:/path nor secretsmanager:name")
        places[name.strip()] = (store, place)
    return places


def _from_parameter_store(environment: Mapping[str, str], name: str) -> str:
    answer = _ask(environment, "ssm", "AmazonSSM.GetParameter", {"Name": name, "WithDecryption": True})
    return text_at(codec.decode(answer), "Parameter", "Value") or ""


def _from_secrets_manager(environment: Mapping[str, str], name: str) -> str:
    answer = _ask(environment, "secretsmanager", "secretsmanager.GetSecretValue", {"SecretId": name})
    return text_at(codec.decode(answer), "SecretString") or ""


def _ask(environment: Mapping[str, str], service: str, target: str, body: Mapping[str, object]) -> bytes:
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": target}
    return post(environment, Request(service, "/", headers, codec.encode(body)), _TIMEOUT)


_READERS = {"ssm": _from_parameter_store, "secretsmanager": _from_secrets_manager}
