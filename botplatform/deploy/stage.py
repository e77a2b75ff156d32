"""A stage: what is deployed under one name (`dev`, `prod`), asked over AWS's own interfaces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NamedTuple

from botplatform import aws
from botplatform.errors import BotplatformError

# Of one call; with botocore's backoff that is some seconds of patience.
_ATTEMPTS = 4


class Deployed(NamedTuple):
    """A function of the stage: its name in our files and on AWS, its ARN, environment, and the hash of its code."""

    name: str
    full_name: str
    arn: str
    environment: Mapping[str, str]
    code: str

    @property
    def sources(self) -> list[str]:
        """The sources whose events are for it."""
        return [name for name in self.environment.get("BOTPLATFORM_SOURCES", "").split(",") if name]

    def holds(self, plugin: str) -> bool:
        """Whether a plugin is in it."""
        return plugin in self.environment.get("BOTPLATFORM_LOAD", "").split(",")


class Stage:
    """The stage `name` of a service, with the credentials, region and endpoint of the settings.

    What a deployment changes is asked when it is needed, once: take a new one after it. Everything may raise
    BotplatformError: no credentials, no permission.
    """

    def __init__(self, name: str, service: str, settings: Mapping[str, str]) -> None:
        self.name = name
        self.stack = f"{service}-{name}"
        self.settings = settings
        self._service = service
        self._clients: dict[str, Any] = {}

    @property
    def region(self) -> str:
        """Where the stage is."""
        return self.settings.get("AWS_REGION") or self.settings.get("AWS_DEFAULT_REGION") or aws.REGION

    def client(self, service: str) -> Any:
        """A client of an AWS service in the stage's region."""
        if service not in self._clients:
            self._clients[service] = aws.client(service, self.settings, _ATTEMPTS, read_timeout=30)
        return self._clients[service]

    def account(self) -> str:
        """The account that the credentials belong to."""
        with answered("the AWS account"):
            return str(self.client("sts").get_caller_identity()["Account"])

    def template(self) -> dict[str, Any]:
        """The CloudFormation template that is deployed, `{}` when nothing is."""
        if self._stack() is None:
            return {}
        with answered(f"the stack {self.stack}"):
            return dict(self.client("cloudformation").get_template(StackName=self.stack)["TemplateBody"])

    @cached_property
    def outputs(self) -> dict[str, str]:
        """What the stack says of itself: URLs, names, ARNs; raises BotplatformError when it is not there."""
        stack = self._stack()
        if stack is None:
            raise BotplatformError(
                f"there is no stage {self.name} in {self.region}: `botplatform deploy --stage {self.name}` makes it"
            )
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}

    def there(self) -> Stage:
        """The stage, once it is known to be deployed; raises BotplatformError when it is not: a slip of the pen?"""
        _ = self.outputs
        return self

    def _stack(self) -> dict[str, Any] | None:
        with answered(f"the stack {self.stack}"), _nothing_there():
            [stack] = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"]
            return None if stack["StackStatus"] == "DELETE_COMPLETE" else dict(stack)
        return None

    def output(self, key: str) -> str:
        """One of the outputs; raises BotplatformError when the stage has no such part."""
        if key not in self.outputs:
            raise BotplatformError(f"stage {self.name} has no {key}: nothing deployed there needs one")
        return self.outputs[key]

    @cached_property
    def functions(self) -> list[Deployed]:
        """The functions, by name; none when nothing is deployed."""
        if self._stack() is None:
            return []
        with answered(f"the functions of {self.stack}"):
            pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.stack)
            names = [
                resource["PhysicalResourceId"]
                for page in pages
                for resource in page["StackResourceSummaries"]
                if resource["ResourceType"] == "AWS::Lambda::Function" and resource.get("PhysicalResourceId")
            ]
            return [self._function(name) for name in sorted(names)]

    def _function(self, full_name: str) -> Deployed:
        found = self.client("lambda").get_function_configuration(FunctionName=full_name)
        environment = found.get("Environment", {}).get("Variables", {})
        name = full_name.removeprefix(f"{self.stack}-")
        return Deployed(name, full_name, found["FunctionArn"], environment, found["CodeSha256"])

    def secret_name(self, setting: str) -> str:
        """The name under which Parameter Store keeps a secret setting of this stage."""
        return f"/{self._service}/{self.name}/{setting}"

    def secret(self, setting: str) -> str | None:
        """The value of a secret setting, None when there is none."""
        with answered(self.secret_name(setting)), _nothing_there():
            found = self.client("ssm").get_parameter(Name=self.secret_name(setting), WithDecryption=True)
            return str(found["Parameter"]["Value"])
        return None

    def absent(self, settings: Sequence[str]) -> list[str]:
        """Those secret settings for which there is no value; none is read to find out."""
        names = {self.secret_name(setting): setting for setting in settings}
        if not names:
            return []
        with answered("the secrets"):
            found = self.client("ssm").get_parameters(Names=list(names), WithDecryption=False)
        return sorted(names[name] for name in found["InvalidParameters"])

    def put_secret(self, setting: str, value: str) -> None:
        """Keep a secret setting, encrypted, in place of the one that was there."""
        with answered(self.secret_name(setting)):
            self.client("ssm").put_parameter(
                Name=self.secret_name(setting), Value=value, Type="SecureString", Overwrite=True
            )


@contextmanager
def answered(what: str) -> Iterator[None]:
    """Turns what AWS refuses, or cannot be asked, into a sentence about `what`."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise BotplatformError(
            "no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ) from error
    except ClientError as error:
        said = error.response.get("Error", {})
        raise BotplatformError(f"{what}: AWS says {said.get('Code')}: {said.get('Message')}") from error
    except (BotoCoreError, ResponseParserError) as error:
        raise BotplatformError(f"{what}: AWS cannot be asked: {error}") from error


@contextmanager
def _nothing_there() -> Iterator[None]:
    """Goes on when AWS says that what was asked for is not there."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        said = error.response.get("Error", {})
        missing = said.get("Code") in ("ParameterNotFound", "ResourceNotFoundException")
        if not missing and "does not exist" not in said.get("Message", ""):
            raise
