"""Small requests to AWS, signed by hand: for what cannot wait until botocore is imported."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from botplatform import codec
from botplatform.aws import REGION
from botplatform.errors import Rejected, Retry
from botplatform.source import text_at
from botplatform.values import NamedTuple

_ALGORITHM = "AWS4-HMAC-SHA256"


class Request(NamedTuple):
    """A POST to a service; `path` is encoded as it is sent."""

    service: str
    path: str
    headers: Mapping[str, str]
    body: bytes


def post(settings: Mapping[str, str], request: Request, timeout: float) -> bytes:
    """Send a request with the credentials, region and endpoint of the settings; returns the body of the answer.

    `timeout` is in seconds, for each step of the conversation. Raises Retry, with what AWS said, when it fails.
    """
    from http.client import HTTPConnection, HTTPException, HTTPSConnection
    from urllib.parse import urlsplit

    region = settings.get("AWS_REGION") or settings.get("AWS_DEFAULT_REGION") or REGION
    url = urlsplit(settings.get("AWS_ENDPOINT_URL") or f"https://{request.service}.{region}.amazonaws.com")
    kind = HTTPConnection if url.scheme == "http" else HTTPSConnection
    headers = sign(request, url.netloc, region, settings, datetime.now(UTC))
    connection = kind(url.netloc, timeout=timeout)
    try:
        connection.request("POST", request.path, request.body, headers)
        response = connection.getresponse()
        answer = response.read()
    except (OSError, HTTPException) as error:
        raise Retry(f"{request.service} cannot be reached: {error}") from error
    finally:
        connection.close()
    if response.status >= 300:
        raise Retry(f"{request.service}: {_reason(answer) or response.status}")
    return answer


def sign(request: Request, host: str, region: str, credentials: Mapping[str, str], now: datetime) -> dict[str, str]:
    """The headers of a request with its signature (IAM User Guide, "AWS Signature Version 4 for API requests").

    `credentials` are AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, if there is one, AWS_SESSION_TOKEN.
    """
    from hashlib import sha256
    from urllib.parse import quote

    instant = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {**{name.lower(): text for name, text in request.headers.items()}, "host": host, "x-amz-date": instant}
    if credentials.get("AWS_SESSION_TOKEN"):
        headers["x-amz-security-token"] = credentials["AWS_SESSION_TOKEN"]
    named = sorted(headers)
    lines = [f"{name}:{headers[name].strip()}\n" for name in named]
    digest = sha256(request.body).hexdigest()
    canonical = "\n".join(["POST", quote(request.path, safe="/~"), "", "".join(lines), ";".join(named), digest])
    scope = f"{instant[:8]}/{region}/{request.service}/aws4_request"
    to_sign = "\n".join([_ALGORITHM, instant, scope, sha256(canonical.encode()).hexdigest()])
    signature = _hmac(_key(credentials.get("AWS_SECRET_ACCESS_KEY", ""), scope), to_sign).hex()
    credential = f"{credentials.get('AWS_ACCESS_KEY_ID', '')}/{scope}"
    headers["authorization"] = (
        f"{_ALGORITHM} Credential={credential}, SignedHeaders={';'.join(named)}, Signature={signature}"
    )
    return headers


def _key(secret: str, scope: str) -> bytes:
    """The key for one day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    import hmac

    return hmac.digest(key, text.encode(), "sha256")


def _reason(answer: bytes) -> str | None:
    """What AWS says is wrong: the kind of error, and its message where it has one."""
    try:
        value = codec.decode(answer)
    except Rejected:
        return None
    kind = (text_at(value, "__type") or text_at(value, "Type") or "").rpartition("#")[2]
    message = text_at(value, "message") or text_at(value, "Message")
    return ": ".join(filter(None, (kind, message))) or None
