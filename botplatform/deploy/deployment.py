"""A deployment: from plugins to what runs on AWS, one step after the other, each of which can be looked at."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from botplatform.deploy import bundle, limits
from botplatform.deploy.bundle import Bundle
from botplatform.deploy.functions import Function, functions
from botplatform.deploy.osls import Osls
from botplatform.deploy.packages import Target
from botplatform.deploy.plan import Change, changes
from botplatform.deploy.stage import Stage
from botplatform.deploy.template import render
from botplatform.errors import BotplatformError
from botplatform.plugins import Plugins

TEMPLATE = Path("serverless.yml")
# Until they are there the function answers, but refuses or fails what needs them; so a first deployment can come first.
_WITHOUT = {
    "SLACK_SIGNING_SECRET": "Slack's requests are refused",
    "SLACK_BOT_TOKEN": "no Slack message can be posted but replies to commands",
    "ALEXA_SKILL_ID": "Alexa's requests are refused",
    "BOTPLATFORM_RECIPIENTS": "texts can only go to numbers, not to names",
}


class Deployment:
    """Takes plugins to a stage; `home` is the folder for what is made on the way (`.botplatform`).

    Raises BotplatformError when a plugin has a mistake, or cannot run on AWS.
    """

    def __init__(self, plugins: Plugins, stage: Stage, target: Target, home: Path) -> None:
        check(plugins)
        self.stage = stage
        self.functions: Sequence[Function] = functions(plugins)
        self._plugins = plugins
        self._target = target
        self._home = home
        self._bundles: list[Bundle] = []

    def bundle(self) -> Iterator[Bundle]:
        """Make the bundle of each function, and yield each as it is done."""
        for made in bundle.build(self.functions, self._plugins, self._target, self._home):
            self._bundles.append(made)
            yield made

    def plan(self) -> list[Change]:
        """Package what was bundled, and say how it differs from what is deployed."""
        new = self._osls.package(self._package)
        deployed = {function.full_name: function.code for function in self.stage.functions}
        codes = {f"{self.stage.stack}-{made.function}": _hash(made.path) for made in self._bundles}
        new_code = frozenset(name for name, code in codes.items() if deployed.get(name, code) != code)
        return changes(self.stage.template(), new, new_code)

    def deploy(self) -> int:
        """Deploy what was packaged; returns the exit status of the tool that does it."""
        return self._osls.deploy(self._package)

    def missing(self) -> list[str]:
        """The settings and secrets that the functions want and do not have, each with what does not work without it."""
        secrets = {name for function in self.functions for name in function.secrets}
        wanted = {name for function in self.functions for name in function.settings}
        absent = self.stage.absent(sorted(secrets))
        absent += [name for name in sorted(wanted) if not self.stage.settings.get(name)]
        return [f"{name} is not set: {_WITHOUT[name]}" for name in absent if name in _WITHOUT]

    def not_kept(self) -> list[str]:
        """What AWS does not keep of the limits that handlers declare, a sentence each."""
        return limits.notes(self.functions)

    @cached_property
    def _osls(self) -> Osls:
        parameters = {"runtime": self._target.runtime, "architecture": self._target.architecture}
        return Osls(Path.cwd(), self.stage.name, self.stage.region, self.stage.settings, parameters)

    @property
    def _package(self) -> Path:
        return (self._home / "package").resolve()


def check(plugins: Plugins) -> None:
    """Raise BotplatformError with every mistake in the plugins: what is left of them is not what anybody meant."""
    if plugins.mistakes:
        raise BotplatformError("\n".join(map(str, plugins.mistakes)))


def is_stale(plugins: Plugins) -> bool:
    """Whether `serverless.yml` is not what the plugins declare."""
    return not TEMPLATE.is_file() or TEMPLATE.read_text() != render(plugins)


def written(plugins: Plugins) -> bool:
    """Write `serverless.yml` where it is stale; returns whether it was."""
    stale = is_stale(plugins)
    if stale:
        TEMPLATE.write_text(render(plugins))
    return stale


def _hash(path: Path) -> str:
    """The hash of a file as Lambda gives it (`CodeSha256`)."""
    return base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()
