"""An AWS on this machine with one stage in it: moto's services, and a stack and functions that are as a test says."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from botplatform import aws

_LAMBDA = "/2015-03-31/functions/"


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any, **__: Any) -> None:
        """Nobody wants to know."""


@dataclass
class Function:
    """A function of the stack, and what it answers."""

    environment: dict[str, str]
    code: str = "hash"
    answer: Any = None


@dataclass
class Stack:
    """What CloudFormation says of a stack."""

    template: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    status: str = "UPDATE_COMPLETE"


class Cloud:
    """`stacks` are those there are, `refuses` the services that deny access.

    `asked` is what was asked of Lambda and of the HTTP API: (path, body, headers).
    """

    def __init__(self) -> None:
        self.stacks: dict[str, Stack] = {}
        self.refuses: set[str] = set()
        self.asked: list[tuple[str, bytes, dict[str, str]]] = []
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def settings(self) -> dict[str, str]:
        """The settings that lead here."""
        credentials = {"AWS_ACCESS_KEY_ID": "AKIA0", "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_REGION": "eu-central-1"}
        return {**credentials, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}"}

    def client(self, service: str) -> Any:
        """A client of one of moto's services."""
        return aws.client(service, self.settings)

    def write(self, function: str, lines: list[str], time: float, stream: str = "1") -> None:
        """Have a function write lines to its log, at a Unix time in seconds."""
        logs, group = self.client("logs"), f"/aws/lambda/{function}"
        if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            logs.create_log_group(logGroupName=group)
        streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream)["logStreams"]
        if not streams:
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
        events = [{"timestamp": round(time * 1000), "message": f"{line}\n"} for line in lines]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        service = (*request.headers.get("Authorization", "").split("/"), "", "", "", "")[3]
        if service in self.refuses:
            denied = json.dumps({"__type": "AccessDeniedException", "message": "not for you"})
            return Response(denied, 400, mimetype="application/json")(environ, start_response)
        if service == "cloudformation":
            return self._cloudformation(request)(environ, start_response)
        if service == "lambda" or "execute-api" in request.host:
            self.asked.append((request.path, request.get_data(), dict(request.headers)))
            return self._called(request)(environ, start_response)
        return self._moto(environ, start_response)

    def _cloudformation(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs(request.get_data(as_text=True)).items()}
        stack = self.stacks.get(form["StackName"])
        if stack is None:
            said = f"<Code>ValidationError</Code><Message>Stack with id {form['StackName']} does not exist</Message>"
            return Response(f"<ErrorResponse><Error>{said}</Error></ErrorResponse>", 400, mimetype="text/xml")
        action = form["Action"]
        result = {"GetTemplate": _template, "DescribeStacks": _described, "ListStackResources": _resources}[action]
        body = f"<{action}Response><{action}Result>{result(stack)}</{action}Result></{action}Response>"
        return Response(body, mimetype="text/xml")

    def _called(self, request: Request) -> Response:
        if not request.path.startswith(_LAMBDA):
            return Response('{"text": "hello"}', mimetype="application/json")
        name, _, act = request.path.removeprefix(_LAMBDA).partition("/")
        function = next(stack.functions[name] for stack in self.stacks.values() if name in stack.functions)
        if act == "invocations":
            if request.headers.get("X-Amz-Invocation-Type") == "Event":
                return Response(status=202)
            return Response(json.dumps(function.answer))
        about = {"FunctionName": name, "FunctionArn": f"arn:aws:lambda:eu-central-1:1:function:{name}"}
        about["CodeSha256"] = function.code
        return Response(json.dumps({**about, "Environment": {"Variables": function.environment}}))


def _template(stack: Stack) -> str:
    return f"<TemplateBody>{escape(json.dumps(stack.template))}</TemplateBody>"


def _described(stack: Stack) -> str:
    outputs = "".join(
        f"<member><OutputKey>{key}</OutputKey><OutputValue>{escape(value)}</OutputValue></member>"
        for key, value in stack.outputs.items()
    )
    return f"<Stacks><member><StackStatus>{stack.status}</StackStatus><Outputs>{outputs}</Outputs></member></Stacks>"


def _resources(stack: Stack) -> str:
    functions = "".join(
        f"<member><PhysicalResourceId>{name}</PhysicalResourceId>"
        "<ResourceType>AWS::Lambda::Function</ResourceType></member>"
        for name in stack.functions
    )
    return f"<StackResourceSummaries>{functions}</StackResourceSummaries>"
