"""Starters: a plugin and its test, for each thing a plugin can listen to."""

from __future__ import annotations

from pathlib import Path

from botplatform.errors import Rejected

_ANSWER = """{decorator}
def answer(ctx: Context) -> str:
    ctx.state.add("asked")
    return "Hello from {name}."
"""
_NOTICE = """{decorator}
def notice(event: Event, ctx: Context) -> None:
    ctx.state["last"] = event.data
"""
_RUN = """{decorator}
def run(ctx: Context) -> None:
    ctx.state.add("runs")
"""

# What to listen to: the decorator, the body, and what a test says and checks.
STARTERS: dict[str, tuple[str, str, str, str]] = {
    "slack.command": ('@slack.command("/{dashed}")', _ANSWER, 'platform.slack("/{dashed}")', "reply"),
    "slack.event": ('@slack.event("app_mention")', _ANSWER, 'platform.slack_event("app_mention", text="hi")', "reply"),
    "slack.action": ('@slack.action("{name}")', _NOTICE, 'platform.slack_action("{name}")', "state"),
    "alexa.intent": (
        '@alexa.intent("{camel}Intent", samples=["ask {spoken}"])',
        _ANSWER,
        'platform.alexa.intent("{camel}Intent")',
        "reply",
    ),
    "alexa.launch": ("@alexa.launch()", _ANSWER, "platform.alexa.launch()", "reply"),
    "mqtt.topic": (
        '@mqtt.topic("{dashed}/{{device}}")',
        _NOTICE,
        'platform.mqtt("{dashed}/one", {{"value": 1}})',
        "state",
    ),
    "cloudtrail.event": (
        '@cloudtrail.event({{"eventName": ["CreateUser"]}})',
        _NOTICE,
        'platform.cloudtrail({{"eventID": "1", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser"}})',
        "state",
    ),
    "schedule.on": ('@schedule.on("cron(0 7 * * ? *)", timezone="UTC")', _RUN, 'platform.tick("{name}")', "runs"),
    "cloudevents.event": (
        '@cloudevents.event("com.example.{name}")',
        _NOTICE,
        'platform.send(Event(type="com.example.{name}", source="/test", id="1", data={{"value": 1}}))',
        "state",
    ),
}


def write(name: str, listens_to: str, root: Path) -> tuple[Path, Path]:
    """Write `plugins/NAME.py` and its test below `root`; raises Rejected rather than overwrite anything."""
    if not name.isidentifier() or name != name.lower() or name.startswith("_"):
        raise Rejected(f"{name!r} is no plugin name: lower-case letters, digits and _, as in too_hot")
    plugin, test = root / "plugins" / f"{name}.py", root / "tests" / "plugins" / f"test_{name}.py"
    for path in (plugin, test):
        if path.exists():
            raise Rejected(f"{path} is there already")
    for path, text in ((plugin, plugin_text(name, listens_to)), (test, test_text(name, listens_to))):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return plugin, test


def plugin_text(name: str, listens_to: str) -> str:
    """The starter's source."""
    decorator, body, _, _ = STARTERS[listens_to]
    source = listens_to.partition(".")[0]
    imports = sorted(["Context", *(["Event"] if body is _NOTICE else []), source])
    told = f'"""Say here in one sentence when {name} acts, and what it does."""'
    code = body.format(decorator=decorator.format(**_names(name)), name=name)
    return f"{told}\n\nfrom botplatform import {', '.join(imports)}\n\n\n{code}"


def test_text(name: str, listens_to: str) -> str:
    """The source of the starter's test."""
    _, _, said, shows = STARTERS[listens_to]
    call = said.format(**_names(name))
    event = "from botplatform import Event\n\n\n" if "Event(" in call else ""
    checks = {
        "reply": f'    assert {call} == "Hello from {name}."\n',
        "state": f'    {call}\n    assert "last" in platform.state("{name}")\n',
        "runs": f'    {call}\n    assert platform.state("{name}") == {{"runs": 1}}\n',
    }
    return f"{event}def test_{name}_acts(platform):\n{checks[shows]}"


def _names(name: str) -> dict[str, str]:
    words = name.split("_")
    return {
        "name": name,
        "dashed": "-".join(words),
        "spoken": " ".join(words),
        "camel": "".join(word.title() for word in words if not word.isdigit()),
    }
