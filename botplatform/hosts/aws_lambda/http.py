"""HTTP as it reaches a function: API Gateway of both versions, a load balancer, a function URL; read and answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from botplatform import codec
from botplatform.errors import Rejected
from botplatform.source import Raw, text_at
from botplatform.values import NamedTuple

# Amazon API Gateway, "Lambda proxy integrations": a load balancer wants the words too.
_REASONS = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Payload Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Response(NamedTuple):
    """An answer: its status, its JSON (None: an empty body) and further headers."""

    status: int
    json: Any = None
    headers: Mapping[str, str] = MappingProxyType({})


class Request(NamedTuple):
    """A request; `arrived` is the Unix time at which it reached AWS, where AWS says, `answer` writes its response."""

    method: str
    path: str
    raw: Raw
    arrived: float | None
    answer: Callable[[Response], dict[str, Any]]


def is_request(value: Mapping[str, Any]) -> bool:
    """Whether Lambda was called with an HTTP request in one of the forms that `read` knows."""
    context = value.get("requestContext")
    # An authorizer is asked before a request comes, with one in its hands.
    is_authorizer = "methodArn" in value or "routeArn" in value
    return isinstance(context, dict) and not is_authorizer and ("http" in context or "httpMethod" in value)


def read(value: Mapping[str, Any]) -> Request:
    """The request that Lambda was called with."""
    context = value["requestContext"]
    raw = Raw(_body(value), _headers(value))
    if "http" in context:
        method, path = text_at(context, "http", "method"), text_at(value, "rawPath")
        return Request(method or "", path or "/", raw, _seconds(context.get("timeEpoch")), _plain)
    method, path, arrived = text_at(value, "httpMethod"), text_at(value, "path"), context.get("requestTimeEpoch")
    lists = value.get("multiValueHeaders")
    answer = _plain if "elb" not in context else _for_balancer_of_lists if lists else _for_balancer
    return Request(method or "", path or "/", raw, _seconds(arrived), answer)


def _headers(value: Mapping[str, Any]) -> dict[str, str]:
    """The headers by their names in lower case, several of one name joined as RFC 9110, 5.3 allows."""
    one, several = value.get("headers"), value.get("multiValueHeaders")
    joined = several.items() if isinstance(several, dict) else ()
    headers = {name.lower(): ", ".join(map(str, texts)) for name, texts in joined if isinstance(texts, list)}
    return headers | {name.lower(): str(text) for name, text in (one.items() if isinstance(one, dict) else ())}


def _body(value: Mapping[str, Any]) -> bytes:
    body = text_at(value, "body") or ""
    if not value.get("isBase64Encoded"):
        return body.encode()
    try:
        return codec.from_base64(body, "body")
    except Rejected:
        return body.encode()  # whoever reads it will say that it is not what they want


def _seconds(milliseconds: Any) -> float | None:
    try:
        return milliseconds / 1000 if isinstance(milliseconds, int | float) else None
    except OverflowError:
        return None  # a number without end is no time


def _plain(response: Response) -> dict[str, Any]:
    """As API Gateway and function URLs want it."""
    body = "" if response.json is None else codec.encode(response.json).decode()
    headers = {**({"content-type": "application/json"} if body else {}), **response.headers}
    return {"statusCode": response.status, "headers": headers, "body": body, "isBase64Encoded": False}


def _for_balancer(response: Response) -> dict[str, Any]:
    status = f"{response.status} {_REASONS[response.status]}"
    return {**_plain(response), "statusDescription": status}


def _for_balancer_of_lists(response: Response) -> dict[str, Any]:
    """As a load balancer wants it whose target group has headers of several values."""
    answer = _for_balancer(response)
    answer["multiValueHeaders"] = {name: [text] for name, text in answer.pop("headers").items()}
    return answer
