"""The description of what is answered over HTTP is true, and nothing that can be sent makes the platform fail."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.checks import content_type_conformance, response_schema_conformance, status_code_conformance
from schemathesis.schemas import BaseSchema

from tests.fuzz.app import GENUINE, ROOT, App
from tests.fuzz.samples import requests

DESCRIPTION: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text())
OPERATIONS = [
    (method, path) for path, offered in DESCRIPTION["paths"].items() for method in offered if method != "parameters"
]
# A bug is answered with 500, which is described nowhere.
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
# Numbers in paths, and requests with nothing in them, have no malformed form that reaches a route.
MALFORMED = [(method, path) for method, path in OPERATIONS if method == "post" or path.endswith(("events", "letters"))]

quickly = settings(
    max_examples=25,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.fixture(scope="module")
def described(app: App) -> BaseSchema:
    """What schemathesis makes of the description; its requests are made to the app."""
    schema = schemathesis.openapi.from_dict(DESCRIPTION)
    schema.app = app
    return schema


def ask(described: BaseSchema, method: str, path: str, mode: GenerationMode, data: st.DataObject) -> None:
    """Make a request as the description has it, or as it does not, and check that the answer is a described one."""
    operation = described[path][method.upper()]
    case = data.draw(operation.as_strategy(generation_mode=mode))
    answer = case.call(headers={GENUINE: "1"} if data.draw(st.booleans()) else {})
    case.validate_response(answer, checks=CHECKS)


def test_all_that_is_answered_is_described_and_nothing_else(app: App) -> None:
    routes = {(method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)) for method, path in app.routes}
    assert routes == {*OPERATIONS}


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@quickly
@given(data=st.data())
def test_a_well_formed_request_is_answered_as_described(
    method: str, path: str, data: st.DataObject, described: BaseSchema
) -> None:
    ask(described, method, path, GenerationMode.POSITIVE, data)


@pytest.mark.parametrize(("method", "path"), MALFORMED)
@quickly
@given(data=st.data())
def test_a_malformed_request_is_answered_as_described(
    method: str, path: str, data: st.DataObject, described: BaseSchema
) -> None:
    ask(described, method, path, GenerationMode.NEGATIVE, data)


@pytest.mark.parametrize("text", sorted({*requests()}), ids=lambda text: text.split(b"\n")[0].decode())
def test_a_sample_is_answered_as_described(text: bytes, app: App) -> None:
    method, target = text.split(b"\n")[0].decode().split()
    path = re.sub(r"static/.*", "static/{filename}", re.sub(r"/\d+", "/{number}", target.partition("?")[0]))

    answer = app.ask(text)

    described = DESCRIPTION["paths"][path][method.lower()]["responses"][str(answer.status)].get("content", {})
    media_type = answer.headers["Content-Type"].partition(";")[0]
    if media_type == "application/json":
        schema = {**described[media_type]["schema"], "components": DESCRIPTION["components"]}
        Draft202012Validator(schema).validate(answer.json)


def test_nothing_that_was_kept_of_all_this_is_rubbish(app: App) -> None:
    app.check_kept()
