"""Clients of AWS services: the one place that makes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

REGION = "us-east-1"
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "BOTPLATFORM_TABLE",  # whose state is on AWS has some, even if it is a machine's role, which has no name
)


def has_credentials(settings: Mapping[str, str]) -> bool:
    """Whether the settings themselves name AWS credentials: a profile lying about on a laptop does nothing."""
    return any(settings.get(name) for name in _CREDENTIALS)


def client(
    service: str, settings: Mapping[str, str], attempts: int = 1, read_timeout: float = 10, connections: int = 10
) -> Any:
    """A client of one service (`dynamodb`, `sns`), with the credentials, region and endpoint of the settings.

    `attempts` counts the tries of one call, `read_timeout` the seconds to wait for an answer, `connections` how many
    are kept open: as many as there are threads that call at once. Whoever calls decides by itself what to try again
    and when, so there is one try unless it says otherwise. This imports botocore, which takes a quarter of a second;
    boto3 on top would take longer and add nothing we use.
    """
    from botocore.config import Config
    from botocore.session import Session

    session = Session(profile=settings.get("AWS_PROFILE") or None)
    session.register("before-parse", _refuse_half)
    config = Config(
        connect_timeout=5,
        read_timeout=read_timeout,
        retries={"total_max_attempts": attempts},
        max_pool_connections=connections,
    )
    return session.create_client(
        service,
        region_name=settings.get("AWS_REGION") or settings.get("AWS_DEFAULT_REGION") or REGION,
        endpoint_url=settings.get("AWS_ENDPOINT_URL") or None,
        aws_access_key_id=settings.get("AWS_ACCESS_KEY_ID") or None,
        aws_secret_access_key=settings.get("AWS_SECRET_ACCESS_KEY") or None,
        aws_session_token=settings.get("AWS_SESSION_TOKEN") or None,
        config=config,
    )


def _refuse_half(operation_model: Any, response_dict: Mapping[str, Any], **_: Any) -> None:
    """Raise where an answer ended too early: botocore would take half a JSON text for an answer with nothing in it."""
    from botocore.exceptions import ResponseStreamingError

    body, promised = response_dict["body"], response_dict["headers"].get("content-length")
    plain = isinstance(body, bytes) and "content-encoding" not in response_dict["headers"]
    if plain and promised and operation_model.http.get("method") != "HEAD" and len(body) < int(promised):
        raise ResponseStreamingError(error=f"{len(body)} of {promised} bytes came")


def lazily(make: Callable[[], Any]) -> Callable[[], Any]:
    """`make` called once, when first needed: a process that never asks does not pay for botocore."""
    made: list[Any] = []

    def get() -> Any:
        if not made:
            made.append(make())
        return made[0]

    return get


def passes(error: Any) -> bool:
    """Whether a botocore ClientError may be gone on another try: throttling, and faults of the service itself."""
    answer = error.response
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or status == 429 or "Throttl" in answer.get("Error", {}).get("Code", "")
