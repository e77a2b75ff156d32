"""Which Lambda functions a set of plugins becomes, and what each of them needs: plain data, not yet a template."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from botplatform.deploy import limits
from botplatform.durations import seconds
from botplatform.errors import PluginMistake, Rejected
from botplatform.mistakes import line_of
from botplatform.plugins import Plugin, Plugins
from botplatform.router import MQTT_MESSAGE, Handler
from botplatform.subscription import Subscription

SERVICE = "botplatform"
# Slack calls one URL and Alexa one skill, whatever plugins there are: one function holds them all.
SHARED = ("slack", "alexa")
# One function for each plugin that listens to any of these.
OWN = ("mqtt", "cloudtrail", "schedule", "cloudevents")
# What may also come through the stage's queue, to one function that holds all who listen.
QUEUED = ("mqtt", "cloudtrail", "cloudevents")
RESERVED = (*SHARED, "queue", "sweep")
# Replies to these are the answer to Slack's request; all others are posted, which is an effect.
_ANSWERED = {"com.slack.command", "com.slack.view_submission"}
# Types of events that sources of their own bring, past the bus.
_OTHERS = {
    "com.slack.": "slack",
    "com.amazon.alexa.": "alexa",
    "com.amazonaws.": "cloudtrail",
    MQTT_MESSAGE: "mqtt.topic",
    "dev.botplatform.tick": "schedule.on",
}
# MB and seconds, if no plugin asks for other ones. CPU comes with memory: with less, importing botocore takes seconds.
_SIZE = (256, 60)
# Who waits is answered long before; API Gateway waits 30 s for a function at most.
_SIZE_WHERE_PEOPLE_WAIT = (512, 29)
# AWS Lambda Developer Guide, "Lambda quotas".
_MEMORY_LIMITS = (128, 10_240)
_TIMEOUT_LIMITS = (1, limits.LONGEST_TIMEOUT)
# Lambda and EventBridge Scheduler: 64 characters; this leaves a stage's name as many as people use.
NAME_LIMIT = 64
STAGE_LIMIT = 16


class Function(NamedTuple):
    """One Lambda function.

    `plugins` are those it loads, and of those it hears only the `sources`. `effects` are the ones its handlers may ask
    for, or that bring their replies, `hooks` the plugins that bring such effects. `keeps` says whether it needs the
    table. `memory` is in MB, `timeout` in seconds.
    """

    name: str
    plugins: tuple[str, ...]
    sources: tuple[str, ...]
    handlers: tuple[Handler, ...] = ()
    effects: frozenset[str] = frozenset()
    hooks: tuple[str, ...] = ()
    keeps: bool = False
    memory: int = _SIZE[0]
    timeout: int = _SIZE[1]
    about: str = ""

    @property
    def subscriptions(self) -> list[tuple[Handler, Subscription]]:
        """What it listens to, and who of its handlers."""
        return [(h, s) for h in self.handlers for s in h.subscriptions if s.source in self.sources]

    @property
    def secrets(self) -> list[str]:
        """The names of the secrets it reads."""
        signed = ["SLACK_SIGNING_SECRET"] if self.name == "slack" else []
        return signed + (["SLACK_BOT_TOKEN"] if "slack" in self.effects else [])

    @property
    def settings(self) -> list[str]:
        """The names of the settings it reads, besides those that say what it is."""
        needed = {
            "ALEXA_SKILL_ID": self.name == "alexa",
            "BOTPLATFORM_CHAIN_LIMIT": "cloudevents" in self.sources,
            "BOTPLATFORM_RECIPIENTS": "text" in self.effects,
            "SLACK_API_URL": "slack" in self.effects,
        }
        return [name for name, is_needed in needed.items() if is_needed]

    @property
    def shared(self) -> bool:
        """Whether it belongs to no plugin alone."""
        return self.name in RESERVED

    @property
    def continues(self) -> bool:
        """Whether it may have to go on after somebody was answered, by calling itself."""
        return self.name == "slack" or (self.name == "alexa" and self.keeps)


def functions(plugins: Plugins) -> list[Function]:
    """The functions that the loaded plugins become, in the order of their names, those shared by plugins last.

    Raises PluginMistake or Rejected with what has to be changed in a plugin before AWS can run it.
    """
    loaded = [plugins.loaded[name] for name in sorted(plugins.loaded)]
    for plugin in loaded:
        _check(plugin)
    own = [_function(plugin.name, [plugin], OWN) for plugin in loaded]
    shared = [_function(source, loaded, (source,)) for source in SHARED]
    listening = [function for function in (*own, *shared, _function("queue", loaded, QUEUED)) if function.handlers]
    brought = _brought_effects(plugins)
    return [_with_hooks(function, brought) for function in (*listening, *_sweep(listening))]


def _brought_effects(plugins: Plugins) -> dict[str, str]:
    """The effects that plugins bring, and which plugin each."""
    found: dict[str, str] = {}
    for name, plugin in plugins.loaded.items():
        others = [module for module in plugins.manager.get_plugins() if module is not plugin.module]
        groups = plugins.manager.subset_hook_caller("effects", others)(settings={}, host=None)
        found.update((effect.name, name) for group in groups for effect in group)
    return found


def _with_hooks(function: Function, brought: Mapping[str, str]) -> Function:
    return function._replace(hooks=tuple(sorted({brought[name] for name in function.effects if name in brought})))


def _function(name: str, plugins: Iterable[Plugin], sources: Collection[str]) -> Function:
    """One function of those plugins that listen to any of the sources."""
    listening = [plugin for plugin in plugins if _handlers([plugin], sources)]
    handlers = _handlers(listening, sources)
    heard = [s for handler in handlers for s in handler.subscriptions if s.source in sources]
    uses = frozenset(effect for handler in handlers for effect in handler.uses)
    memory, timeout = _SIZE_WHERE_PEOPLE_WAIT if name in SHARED else _SIZE
    return Function(
        name,
        plugins=tuple(plugin.name for plugin in listening),
        sources=tuple(source for source in (*SHARED, *OWN) if source in {s.source for s in heard}),
        handlers=handlers,
        effects=uses | ({"slack"} if name == "slack" else set()),
        keeps=bool(uses) or any(h.keeps_state for h in handlers) or any(_is_posted(s) for s in heard),
        memory=max((_memory(plugin, memory) for plugin in listening), default=memory),
        timeout=max(
            (_timeout(plugin, limits.timeout(_handlers([plugin], sources), timeout)) for plugin in listening),
            default=timeout,
        ),
        about=_ABOUT.get(name) or "".join(plugin.info.summary for plugin in listening),
    )


_ABOUT = {
    "slack": "Answers Slack's requests with the handlers of all plugins.",
    "alexa": "Answers Alexa's requests with the handlers of all plugins.",
    "queue": "Hands what comes through the queue to the handlers of all plugins.",
}


def _handlers(plugins: Iterable[Plugin], sources: Collection[str]) -> tuple[Handler, ...]:
    """The handlers of some plugins that listen to any of the sources."""
    return tuple(h for p in plugins for h in p.handlers if any(s.source in sources for s in h.subscriptions))


def _is_posted(subscription: Subscription) -> bool:
    """Whether a reply is an effect, since nobody waits for it."""
    return subscription.source == "slack" and not _ANSWERED.issuperset(map(str, subscription.pattern["type"]))


def _sweep(functions: Sequence[Function]) -> Iterator[Function]:
    """The function that finishes what others left pending, where there is something to finish."""
    committing = [function for function in functions if function.keeps and function.effects]
    if committing:
        yield Function(
            "sweep",
            plugins=(),
            sources=(),
            effects=frozenset(effect for function in committing for effect in function.effects),
            keeps=True,
            about="Performs the effects that a crash or a destination that was away left pending.",
        )


def _check(plugin: Plugin) -> None:
    """Refuse what AWS cannot run, with the place in the plugin."""
    if plugin.name in RESERVED:
        raise PluginMistake(f"on AWS there is a function {plugin.name!r} already: rename the plugin", plugin.file)
    room = NAME_LIMIT - len(f"{SERVICE}--") - STAGE_LIMIT
    if len(plugin.name) > room:
        raise PluginMistake(f"the name is too long for a function on AWS: {room} characters at most", plugin.file)
    for handler in plugin.handlers:
        for subscription in handler.subscriptions:
            reason = _unheard(subscription)
            if reason:
                raise PluginMistake(reason, handler.file, subscription.line)


def _unheard(subscription: Subscription) -> str:
    """Why a subscription would never hear of anything on AWS, if it would not."""
    if subscription.source not in (*SHARED, *OWN):
        return f"AWS has no trigger for the source {subscription.source!r}"
    if subscription.source == "cloudevents":
        for type_ in map(str, subscription.pattern.get("type", ())):
            for beginning, source in _OTHERS.items():
                if type_.startswith(beginning):
                    return f"on AWS {type_} does not come as a CloudEvent: listen to it with {source}"
    return ""


def check_stage(stage: str) -> None:
    """Raise Rejected for the name of a stage that would not fit into the names of its functions."""
    if not stage.replace("-", "").isalnum() or not stage.isascii() or len(stage) > STAGE_LIMIT:
        raise Rejected(f"{stage!r} is no name for a stage: letters, digits and -, {STAGE_LIMIT} at most")


def _memory(plugin: Plugin, default: int) -> int:
    """What the plugin says in `MEMORY = 512`, in MB."""
    memory = getattr(plugin.module, "MEMORY", default)
    low, high = _MEMORY_LIMITS
    if type(memory) is not int or not low <= memory <= high:
        raise _mistake(plugin, "MEMORY", f"MEMORY is in MB, {low} to {high}: MEMORY = 512")
    return memory


def _timeout(plugin: Plugin, default: int) -> int:
    """What the plugin says in `TIMEOUT = "2m"`, in seconds."""
    try:
        timeout = round(seconds(getattr(plugin.module, "TIMEOUT", f"{default}s")))
    except (TypeError, ValueError):
        timeout = 0
    low, high = _TIMEOUT_LIMITS
    if not low <= timeout <= high:
        raise _mistake(plugin, "TIMEOUT", f'TIMEOUT is a length of time, {low} to {high} seconds: TIMEOUT = "2m"')
    return timeout


def _mistake(plugin: Plugin, name: str, reason: str) -> PluginMistake:
    return PluginMistake(reason, plugin.file, line_of(plugin.file, name))
