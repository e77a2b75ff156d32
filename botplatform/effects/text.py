"""Text messages: through Amazon SNS where there are AWS credentials, else to the outbox that the console shows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import ceil
from typing import Any

from botplatform.aws import client, has_credentials, lazily, passes
from botplatform.effect import Effect
from botplatform.errors import InvalidSettings, Rejected, Retry

# ITU-T E.164: a plus sign and at most 15 digits.
_E164 = re.compile(r"\+[1-9]\d{6,14}\Z")
# 3GPP TS 23.038, the GSM 7-bit default alphabet and its extension table (whose characters take two places).
_GSM7 = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM7_EXTENDED = set("^{}\\[~]|€")


def effect(settings: Mapping[str, str]) -> Effect:
    """The effect `text`: arguments `to` (a number, or a name in BOTPLATFORM_RECIPIENTS) and `body`."""
    recipients = read_recipients(settings.get("BOTPLATFORM_RECIPIENTS", ""))
    if not has_credentials(settings):
        return Effect("text", lambda arguments, _: _to_outbox(arguments, recipients), "the outbox")
    sns = lazily(lambda: client("sns", settings))
    return Effect("text", lambda arguments, _: _send(sns(), arguments, recipients), "Amazon SNS")


def read_recipients(text: str) -> dict[str, str]:
    """The numbers by name in `owner=+15550100, ops=+15550101`; raises InvalidSettings."""
    recipients: dict[str, str] = {}
    for entry in filter(None, (entry.strip() for entry in text.split(","))):
        name, _, number = (part.strip() for part in entry.partition("="))
        if not name or not _E164.match(number):
            raise InvalidSettings(
                f"BOTPLATFORM_RECIPIENTS: {entry!r} is not name=+15550100 (a number with its country code)"
            )
        recipients[name] = number
    return recipients


def parts(body: str) -> int:
    """How many SMS a body takes: 160 GSM-7 or 70 UCS-2 characters in one, 153 or 67 in each of several."""
    if all(character in _GSM7 or character in _GSM7_EXTENDED for character in body):
        length = sum(2 if character in _GSM7_EXTENDED else 1 for character in body)
        return 1 if length <= 160 else ceil(length / 153)
    length = len(body.encode("utf-16-be")) // 2
    return 1 if length <= 70 else ceil(length / 67)


def _to_outbox(arguments: Mapping[str, Any], recipients: Mapping[str, str]) -> Mapping[str, Any]:
    return {
        "via": "outbox",
        "number": recipients.get(arguments["to"], arguments["to"]),
        "parts": parts(arguments["body"]),
    }


def _send(sns: Any, arguments: Mapping[str, Any], recipients: Mapping[str, str]) -> Mapping[str, Any]:
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    number = recipients.get(arguments["to"], arguments["to"])
    if not _E164.match(number):
        raise Rejected(f"no number for {arguments['to']!r}: set BOTPLATFORM_RECIPIENTS={arguments['to']}=+15550100")
    try:
        answer = sns.publish(PhoneNumber=number, Message=arguments["body"])
    except ClientError as error:
        raise _by_cause(error) from error
    except (BotoCoreError, ResponseParserError) as error:
        raise Retry(f"SNS cannot be reached: {error}") from error
    return {"via": "sns", "id": answer["MessageId"], "parts": parts(arguments["body"])}


def _by_cause(error: Any) -> Retry | Rejected:
    """Throttling and faults of the service pass; everything else is ours to mend."""
    reason = f"SNS: {error.response.get('Error', {}).get('Message', error)}"
    return Retry(reason) if passes(error) else Rejected(reason)
