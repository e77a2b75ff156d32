"""Requests signed by hand are signed as botocore signs them, and AWS takes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from botplatform.errors import Retry
from botplatform.hosts.aws_lambda.signed import Request, post, sign
from tests.hosts.aws_lambda.conftest import Aws

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
KEYS = {"AWS_ACCESS_KEY_ID": "AKIA0", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
ARN = "arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Abotplatform-dev-slack"


def as_botocore_signs(request: Request, credentials: dict[str, str], region: str) -> str:
    """The Authorization header that botocore makes of the same request at the same time."""
    url = f"https://{request.service}.{region}.amazonaws.com{request.path}"
    asked = AWSRequest("POST", url, data=request.body, headers=dict(request.headers))
    keys = credentials["AWS_ACCESS_KEY_ID"], credentials["AWS_SECRET_ACCESS_KEY"]
    auth = SigV4Auth(Credentials(*keys, credentials.get("AWS_SESSION_TOKEN") or None), request.service, region)
    asked.context["timestamp"] = NOW.strftime("%Y%m%dT%H%M%SZ")
    asked.headers["X-Amz-Date"] = asked.context["timestamp"]
    if auth.credentials.token:
        asked.headers["X-Amz-Security-Token"] = auth.credentials.token
    canonical = auth.canonical_request(asked)
    signature = auth.signature(auth.string_to_sign(asked, canonical), asked)
    names = auth.signed_headers(auth.headers_to_sign(asked))
    return f"AWS4-HMAC-SHA256 Credential={auth.scope(asked)}, SignedHeaders={names}, Signature={signature}"


@given(
    path=st.sampled_from(["/", f"/2015-03-31/functions/{ARN}/invocations", "/2015-03-31/functions/name/invocations"]),
    body=st.binary(max_size=200),
    token=st.sampled_from(["", "IQoJb3JpZ2luX2VjE/+=="]),
    target=st.sampled_from(["AmazonSSM.GetParameter", " spaced  "]),
    region=st.sampled_from(["us-east-1", "eu-central-1"]),
)
def test_a_request_is_signed_as_botocore_signs_it(path: str, body: bytes, token: str, target: str, region: str) -> None:
    request = Request("ssm", path, {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}, body)
    credentials = {**KEYS, "AWS_SESSION_TOKEN": token}

    signed = sign(request, f"ssm.{region}.amazonaws.com", region, credentials, NOW)

    assert signed["authorization"] == as_botocore_signs(request, credentials, region)
    assert signed.get("x-amz-security-token") == (token or None)


def test_what_aws_refuses_says_why(aws: Aws) -> None:
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": "AmazonSSM.GetParameter"}

    with pytest.raises(Retry, match=r"^ssm: ParameterNotFound: Parameter /nowhere not found"):
        post(aws.settings, Request("ssm", "/", headers, b'{"Name": "/nowhere"}'), 5)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://127.0.0.1:1"])
def test_when_nobody_is_there_the_reason_names_the_service(url: str) -> None:
    settings: dict[str, Any] = {**KEYS, "AWS_ENDPOINT_URL": url}

    with pytest.raises(Retry, match=r"^ssm cannot be reached: "):
        post(settings, Request("ssm", "/", {}, b""), 5)
