"""Find, load, check and list plugins; every mistake an author can make is caught here, with a sentence."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from botplatform import builtin, hookspecs, mistakes
from botplatform.effect import Effect, Host
from botplatform.errors import PluginMistake, Rejected
from botplatform.handlers import belongs_to, handlers_in
from botplatform.router import Handler
from botplatform.source import Source
from botplatform.subscription import subscriptions_of
from botplatform.work import PluginInfo

ENTRY_POINTS = "botplatform"
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


@dataclass(frozen=True)
class Plugin:
    """One loaded plugin: a module, and the handlers in it."""

    name: str
    module: Any
    handlers: tuple[Handler, ...]
    file: str

    @property
    def info(self) -> PluginInfo:
        """What it says of itself."""
        summary = (inspect.getdoc(self.module) or "").split("\n\n")[0].replace("\n", " ")
        return PluginInfo(self.name, summary, [s for handler in self.handlers for s in handler.subscriptions])


class Plugins:
    """What was loaded, and the mistakes that kept the rest out; replaced as a whole, never changed.

    `folders` are searched for files, `entry_points` says whether installed packages are asked, `blocked` are names
    that are not to be loaded. Where a plugin has a mistake, its version in `previous` goes on serving.
    """

    def __init__(
        self,
        folders: Iterable[Path] = (),
        entry_points: bool = False,
        blocked: Collection[str] = (),
        previous: Plugins | None = None,
    ) -> None:
        self.loaded: dict[str, Plugin] = {}
        self.mistakes: list[PluginMistake] = []
        self.manager = _Manager()
        for name, file, load in _candidates(folders, entry_points):
            if name not in blocked:
                self._load(name, file, load, previous.loaded.get(name) if previous else None)
        self._drop_unknown_effects(previous)

    @property
    def handlers(self) -> list[Handler]:
        """All handlers of all plugins, in the order they were loaded."""
        return [handler for plugin in self.loaded.values() for handler in plugin.handlers]

    @property
    def sources(self) -> dict[str, Source]:
        """The sources by name: the built-in ones and those of plugins."""
        return {source.name: source for group in self.manager.hook.sources() for source in group}

    def infos(self) -> list[PluginInfo]:
        """What every plugin says of itself, by name."""
        return [self.loaded[name].info for name in sorted(self.loaded)]

    def effects(self, settings: Mapping[str, str], host: Host | None = None) -> dict[str, Effect]:
        """The effects by name, made with the settings, for a host that can perform them (None: only to list them)."""
        groups = self.manager.hook.effects(settings=settings, host=host)
        return {effect.name: effect for group in groups for effect in group}

    def _load(self, name: str, file: str, load: Callable[[], Any], fallback: Plugin | None) -> None:
        try:
            _check_name(name, file)
            if name in self.loaded:
                raise PluginMistake(f"plugin {name!r} is there already, from {self.loaded[name].file}", file)
            module = _imported(load, file)
            self._register(Plugin(name, module, tuple(handlers_in(name, module, file)), file))
        except PluginMistake as mistake:
            self.mistakes.append(mistake)
            if fallback and name not in self.loaded:
                self._restore(fallback)

    def _register(self, plugin: Plugin) -> None:
        self._check_claims(plugin)
        self._check_subscriptions(plugin)
        try:
            self.manager.register(plugin.module, plugin.name)
            self.manager.check_pending()
            # Those loaded before could say what they have to offer, so whatever goes wrong now is this one's.
            _ = self.sources, self.effects({})
        except Exception as error:
            self.manager.unregister(name=plugin.name)
            raise PluginMistake(mistakes.sentence(error), plugin.file, mistakes.line_in(error, plugin.file)) from error
        self.loaded[plugin.name] = plugin

    def _restore(self, plugin: Plugin) -> None:
        # Type hints of what goes on serving are resolved by the name of its module.
        if isinstance(plugin.module, ModuleType):
            sys.modules[plugin.module.__name__] = plugin.module
        try:
            self._register(plugin)
        except PluginMistake as mistake:
            self.mistakes.append(mistake)

    def _check_claims(self, plugin: Plugin) -> None:
        """No two handlers may claim the same thing: who would answer?"""
        claims = {s.exclusive: h for h in self.handlers for s in h.subscriptions if s.exclusive}
        for handler in plugin.handlers:
            for subscription in handler.subscriptions:
                if subscription.exclusive in claims:
                    other = claims[subscription.exclusive]
                    reason = f"{subscription.exclusive} is answered by {other.name} already ({other.file}:{other.line})"
                    raise PluginMistake(reason, plugin.file, subscription.line)
                if subscription.exclusive:
                    claims[subscription.exclusive] = handler

    def _check_subscriptions(self, plugin: Plugin) -> None:
        """Each source looks at what is asked of it."""
        sources = self.sources
        for subscription in plugin.info.subscriptions:
            if source := sources.get(subscription.source):
                try:
                    source.check(subscription)
                except Rejected as error:
                    raise PluginMistake(str(error), plugin.file, subscription.line) from error

    def _drop_unknown_effects(self, previous: Plugins | None) -> None:
        """Unload plugins that declare effects nobody performs: known only now that all plugins are there."""
        known = set(self.effects({}))
        for name, plugin in list(self.loaded.items()):
            unknown = sorted({effect for handler in plugin.handlers for effect in handler.uses} - known)
            if unknown:
                reason = f"USES names an unknown effect {unknown[0]!r}{mistakes.did_you_mean(unknown[0], known)}"
                self.mistakes.append(PluginMistake(reason, plugin.file, mistakes.line_of(plugin.file, "USES")))
                self.manager.unregister(name=name)
                del self.loaded[name]
                if previous and name in previous.loaded:
                    self._restore(previous.loaded[name])


class _Manager(pluggy.PluginManager):
    """pluggy's, with the built-in parts registered, and a handler counted only in the module that defines it."""

    def __init__(self) -> None:
        super().__init__("botplatform")
        self.add_hookspecs(hookspecs)
        self.register(builtin)

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        function = getattr(plugin, name, None)
        if not subscriptions_of(function):
            return super().parse_hookimpl_opts(plugin, name)
        return _HANDLE if belongs_to(function, plugin) else None


_HANDLE = {
    "specname": "handle",
    "wrapper": False,
    "hookwrapper": False,
    "optionalhook": False,
    "tryfirst": False,
    "trylast": False,
}


def _candidates(folders: Iterable[Path], entry_points: bool) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    """Each plugin that could be loaded: its name, its file, and how to import it."""
    for folder in folders:
        if not folder.is_dir():
            raise Rejected(f"the plugin folder {folder} does not exist")
        for path in sorted(folder.glob("*.py")):
            if not path.name.startswith("_"):
                yield path.stem, _shown(path), partial(_import_file, path)
    if entry_points:
        for entry in sorted(importlib.metadata.entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
            yield entry.name, entry.value, entry.load


def _shown(path: Path) -> str:
    """The path as people would type it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _import_file(path: Path) -> ModuleType:
    """Import a file as a module of its own name space, anew each time."""
    name = f"botplatform_plugins.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    module = importlib.util.module_from_spec(spec)
    # Type hints are resolved by module name; a plugin that is being replaced goes on with the objects it has.
    sys.modules[name] = module
    # Compiled afresh from the source: a cached one counts as current for a second after the file changed.
    exec(compile(path.read_bytes(), str(path), "exec", dont_inherit=True), module.__dict__)
    return module


def _check_name(name: str, file: str) -> None:
    if not _NAME.match(name):
        raise PluginMistake(f"{name!r} is no plugin name: lower-case letters, digits and _, as in too_hot.py", file)


def _imported(load: Callable[[], Any], file: str) -> Any:
    """Import a plugin; whatever goes wrong becomes a sentence with the line in the plugin's own file."""
    try:
        return load()
    except SyntaxError as error:
        raise PluginMistake(f"{error.msg}: {(error.text or '').strip()}", file, error.lineno) from error
    except (Exception, SystemExit) as error:
        raise PluginMistake(mistakes.sentence(error), file, mistakes.line_in(error, file)) from error
