"""Text messages, over the wire to an SNS that is really there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from moto.server import ThreadedMotoServer
from moto.sns.models import sns_backends

from botplatform import Rejected, Retry
from botplatform.effects import text
from botplatform.errors import InvalidSettings
from tests.effects.conftest import Answer, Web

NUMBER = "+15550100"
ACCOUNT = "123456789012"  # moto's own
HELLO = {"to": "owner", "body": "too hot: 41 °C"}
ERROR = """<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type>
<Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"""


def settings(url: str, **more: str) -> dict[str, str]:
    credentials = {"AWS_ACCESS_KEY_ID": "AKIA0", "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_REGION": "eu-central-1"}
    return {**credentials, "AWS_ENDPOINT_URL": url, "BOTPLATFORM_RECIPIENTS": f"owner={NUMBER}", **more}


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def sns(moto: str) -> str:
    sns_backends[ACCOUNT]["eu-central-1"].sms_messages.clear()
    return moto


def sent() -> list[tuple[str, str]]:
    """The texts that arrived, as (number, body)."""
    return list(sns_backends[ACCOUNT]["eu-central-1"].sms_messages.values())


def send(url: str, arguments: Mapping[str, Any] = HELLO, **more: str) -> Mapping[str, Any]:
    return text.effect(settings(url, **more)).perform(arguments, "k")


def answer(status: int, code: str, message: str = "no") -> Answer:
    return Answer(status, ERROR.format(code=code, message=message).encode(), {"Content-Type": "text/xml"})


# Through SNS.


def test_a_text_arrives_at_the_number_behind_the_name(sns: str) -> None:
    result = send(sns)

    assert sent() == [(NUMBER, "too hot: 41 °C")]
    assert (result["via"], result["parts"]) == ("sns", 1)
    assert result["id"] in sns_backends[ACCOUNT]["eu-central-1"].sms_messages


def test_a_text_may_go_to_a_number(sns: str) -> None:
    send(sns, {"to": "+4915550100", "body": "hi"})

    assert sent() == [("+4915550100", "hi")]


def test_one_effect_sends_any_number_of_texts(sns: str) -> None:
    effect = text.effect(settings(sns))
    for n in range(3):
        effect.perform({"to": "owner", "body": str(n)}, str(n))

    assert sent() == [(NUMBER, "0"), (NUMBER, "1"), (NUMBER, "2")]
    assert effect.destination == "Amazon SNS"


@pytest.mark.parametrize("to", ["nobody", "15550100", "+0155501000", "+1", "+1555010012345678", "+15550100\n"])
def test_whom_nobody_knows_is_rejected_with_the_setting_to_make(sns: str, to: str) -> None:
    with pytest.raises(Rejected, match="no number for") as rejected:
        send(sns, {"to": to, "body": "hi"})
    assert "BOTPLATFORM_RECIPIENTS" in str(rejected.value)
    assert sent() == []


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "Throttling"),
        (400, "ThrottlingException"),
        (400, "Throttled"),
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (503, "ServiceUnavailable"),
    ],
)
def test_what_passes_is_tried_again_and_not_by_the_sdk(web: Web, status: int, code: str) -> None:
    web.answers = [answer(status, code, "Rate exceeded")]

    with pytest.raises(Retry, match="SNS: Rate exceeded"):
        send(web.url)
    assert len(web.requests) == 1


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "InvalidParameter", "Invalid parameter: PhoneNumber"),
        (403, "AuthorizationError", "User is not authorized"),
        (400, "OptedOut", "Phone number is opted out"),
    ],
)
def test_what_sns_refuses_is_rejected_with_its_reason(web: Web, status: int, code: str, message: str) -> None:
    web.answers = [answer(status, code, message)]

    with pytest.raises(Rejected, match=f"SNS: {message}"):
        send(web.url)


def test_nobody_at_home_is_tried_again(web: Web) -> None:
    web.stop()

    with pytest.raises(Retry, match="SNS cannot be reached"):
        send(web.url)


def test_an_answer_that_ends_half_way_is_tried_again(web: Web) -> None:
    web.answers = [Answer(body=b"<PublishResponse>", cut=True)]

    with pytest.raises(Retry):
        send(web.url)


def test_the_secret_key_is_in_no_request_and_no_message(web: Web) -> None:
    web.answers = [answer(403, "InvalidClientTokenId")]

    with pytest.raises(Rejected) as rejected:
        send(web.url)
    assert "hunter2" not in str(rejected.value) + str(web.requests)


# Without AWS.


@pytest.mark.parametrize(("to", "number"), [("owner", NUMBER), ("somebody", "somebody")])
def test_without_credentials_a_text_goes_to_the_outbox(to: str, number: str) -> None:
    effect = text.effect({"BOTPLATFORM_RECIPIENTS": f"owner={NUMBER}"})

    assert effect.destination == "the outbox"
    assert effect.perform({"to": to, "body": "hi"}, "k") == {"via": "outbox", "number": number, "parts": 1}


# Recipients and parts.


def test_recipients_are_names_with_numbers() -> None:
    assert text.read_recipients("owner=+15550100, ops = +15550101,,") == {"owner": "+15550100", "ops": "+15550101"}
    assert text.read_recipients("") == {}


@pytest.mark.parametrize("wrong", ["owner", "owner=", "=+15550100", "owner=15550100", "owner=+1 555 0100"])
def test_a_recipient_without_a_number_is_a_wrong_setting(wrong: str) -> None:
    with pytest.raises(InvalidSettings, match="BOTPLATFORM_RECIPIENTS"):
        text.read_recipients(f"ops=+15550101,{wrong}")


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        ("", 1),
        ("x" * 160, 1),
        ("x" * 161, 2),
        ("x" * 306, 2),
        ("x" * 307, 3),
        ("x" * 1600, 11),
        ("ÄÖÜñ@£\r\n" * 20, 1),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("[" * 79 + "xx", 1),
        ("ç" * 70, 1),
        ("ç" * 71, 2),
        ("漢" * 134, 2),
        ("漢" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("x" * 70 + "’", 2),
    ],
)
def test_a_body_takes_as_many_parts_as_its_alphabet_needs(body: str, parts: int) -> None:
    assert text.parts(body) == parts
