"""A function as a stage has it, and an AWS over the wire: moto's, and a Lambda that notes whom it is to invoke."""

from __future__ import annotations

import importlib
import io
import json
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from moto.iotdata.models import iotdata_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from botplatform.aws import client
from botplatform.hosts.aws_lambda.function import Function
from botplatform.hosts.aws_lambda.loading import PACKAGE
from botplatform.stores.dynamodb import create_table
from tests.plugin_files import write

ROOT = Path(__file__).resolve().parents[3]
CALLS = ROOT / "fixtures" / "lambda"
ACCOUNT = "123456789012"  # moto's own


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any, **__: Any) -> None:
        """Nobody wants to know."""


class Aws:
    """AWS on 127.0.0.1: `invoked` are the inputs of asynchronous invocations, `asked` the services that were asked.

    The services in `refuses` answer with an error (those that did are `refused`), those in `holds` not before the event
    there is set. `put` are the entries of PutEvents as they were sent, `user_properties` what each message to a device
    had of them, in base64.
    """

    def __init__(self) -> None:
        self.invoked: list[Any] = []
        self.refuses: set[str] = set()
        self.refused: list[str] = []
        self.put: list[dict[str, Any]] = []
        self.user_properties: list[str] = []
        self.holds: dict[str, threading.Event] = {}
        self.asked: list[str] = []
        self._clients: dict[str, Any] = {}
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def settings(self) -> dict[str, str]:
        credentials = {"AWS_ACCESS_KEY_ID": "AKIA0", "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_REGION": "us-east-1"}
        url = f"http://127.0.0.1:{self._server.server_port}"
        return {**credentials, "AWS_ENDPOINT_URL": url, "AWS_LAMBDA_FUNCTION_NAME": "botplatform-test"}

    def client(self, service: str) -> Any:
        """A client of ours; making one takes a while."""
        if service not in self._clients:
            self._clients[service] = client(service, self.settings)
        return self._clients[service]

    @property
    def published(self) -> list[tuple[str, bytes]]:
        """The messages to devices, as (topic, payload)."""
        return [(topic, payload) for topic, payload in iotdata_backends[ACCOUNT]["us-east-1"].published_payloads]

    def letters(self, queue: str) -> list[Any]:
        """The dead letters in a queue."""
        answer = self.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", ())]

    def reset(self) -> None:
        self.invoked.clear()
        self.refuses.clear()
        self.refused.clear()
        self.put.clear()
        self.user_properties.clear()
        self.holds.clear()
        self.asked.clear()
        iotdata_backends[ACCOUNT]["us-east-1"].published_payloads.clear()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, environ: Any, start_response: Any) -> Any:
        service = (*environ.get("HTTP_AUTHORIZATION", "").split("/"), "", "", "", "")[3]
        self.asked.append(service)
        if service in self.holds:
            self.holds[service].wait(20)
        if service in self.refuses:
            self.refused.append(service)
            start_response("503 Service Unavailable", [("Content-Type", "application/json")])
            return [b'{"__type": "com.amazon#ServiceUnavailable", "message": "come back later"}']
        if service == "iotdata":
            self.user_properties.append(environ.get("HTTP_X_AMZ_MQTT5_USER_PROPERTIES", ""))
        if environ["PATH_INFO"].endswith("/invocations"):
            assert environ["HTTP_X_AMZ_INVOCATION_TYPE"] == "Event"
            self.invoked.append(json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))))
            start_response("202 Accepted", [])
            return [b""]
        if environ.get("HTTP_X_AMZ_TARGET") == "AWSEvents.PutEvents":
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            self.put += json.loads(body)["Entries"]
            environ["wsgi.input"] = io.BytesIO(body)
        return self._moto(environ, start_response)


@pytest.fixture(scope="session")
def _aws() -> Iterator[Aws]:
    aws = Aws()
    yield aws
    aws.stop()


@pytest.fixture
def aws(_aws: Aws) -> Aws:
    _aws.reset()
    return _aws


@pytest.fixture
def stage(aws: Aws) -> dict[str, str]:
    """The settings of a function that keeps state: a table, and a queue for its dead letters, both new."""
    name = f"t{uuid.uuid4().hex}"
    create_table(aws.client("dynamodb"), name)
    queue = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    effects = {"BOTPLATFORM_EFFECTS": "publish,slack,text,emit"}
    aws.reset()
    return {**aws.settings, **effects, "BOTPLATFORM_TABLE": name, "BOTPLATFORM_DEAD_LETTERS": queue}


class Context:
    """What Lambda says of an invocation that may take `seconds`."""

    invoked_function_arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:botplatform-test"

    def __init__(self, seconds: float = 30.0) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


class Clock:
    """The time, which a test may move on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


MakeFunction = Callable[..., Function]


@pytest.fixture
def function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeFunction]:
    """Makes the function of plugins given as source by name; further settings by their names in capitals."""
    monkeypatch.syspath_prepend(str(tmp_path))
    forget_plugins()

    def make(
        settings: Mapping[str, str], sources: str = "", clock: Callable[[], float] = time.time, **plugins: str
    ) -> Function:
        write(tmp_path / PACKAGE, **plugins)
        importlib.invalidate_caches()
        loaded = {"BOTPLATFORM_LOAD": ",".join(plugins), "BOTPLATFORM_SOURCES": sources}
        return Function({**loaded, **settings}, clock)

    yield make
    forget_plugins()


def forget_plugins() -> None:
    """Have plugins imported anew: other tests in this process have some of the same names."""
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """What the function has logged since it was last asked."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def call(name: str) -> Any:
    """One of the calls written down in fixtures/lambda."""
    return json.loads((CALLS / f"{name}.json").read_text())
