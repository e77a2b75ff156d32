"""Clients of AWS services, and what they make of half an answer."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ResponseStreamingError

from botplatform.aws import client
from tests.effects.conftest import Answer, Web

SETTINGS = {"AWS_ACCESS_KEY_ID": "AKIA0", "AWS_SECRET_ACCESS_KEY": "hunter2"}
KEY = {"pk": {"S": "1"}}


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.stop()


@pytest.mark.parametrize("item", [{}, {"pk": {"S": "1"}}], ids=["nothing", "an item"])
def test_half_an_answer_is_not_taken_for_one_with_nothing_in_it(web: Web, item: dict[str, object]) -> None:
    body = json.dumps({"Item": item}).encode()
    web.answers = [Answer(body=body, cut=True), Answer(body=body)]
    dynamodb = client("dynamodb", {**SETTINGS, "AWS_ENDPOINT_URL": web.url})

    with pytest.raises(ResponseStreamingError, match=f"{len(body) // 2} of {len(body)} bytes"):
        dynamodb.get_item(TableName="t", Key=KEY)
    assert dynamodb.get_item(TableName="t", Key=KEY)["Item"] == item
