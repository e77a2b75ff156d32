"""Bundles: for each function a zip with what it needs and nothing else, the same bytes for the same content."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from botplatform import codec
from botplatform.deploy.packages import Target, compile_all, copied, fetched, required
from botplatform.errors import BotplatformError
from botplatform.plugins import ENTRY_POINTS, Plugin, Plugins
from botplatform.work import PluginInfo

if TYPE_CHECKING:
    from botplatform.deploy.functions import Function

# Lambda carries botocore itself; what an effect needs besides goes only where the effect is used.
ALWAYS = ("msgspec",)
FOR_EFFECTS = {"slack": ("slack-sdk",)}
FOR_HOOKS = ("pluggy",)
# AWS Lambda Developer Guide, "Lambda quotas": what can be uploaded in one request.
LIMIT = 50_000_000
# Versions and hashes of a project's packages, where it has pinned them.
LOCK = Path("requirements/runtime.txt")
# Rooms of the package that no function enters.
_LEFT_OUT: tuple[str, ...] = ("__main__/", "cli/", "console/", "demo/", "deploy/", "hosts/local/", "hosts/mqtt/")
_LEFT_OUT += ("hosts/worker/", "scaffold/", "sending/", "stores/sqlite/", "terminal/", "testing/")
# The earliest time a zip file can tell.
_TIME = (1980, 1, 1, 0, 0, 0)
_STAND_IN = '''"""Stands in for the plugin {name}, which is in an installed package."""

import importlib
import sys

# Whoever imports this gets what is here under its name in the end.
sys.modules[__name__] = importlib.import_module("{module}")
'''


class Bundle(NamedTuple):
    """A zip that was written: for which function, where, and its size in bytes."""

    function: str
    path: Path
    size: int


def build(functions: Sequence[Function], plugins: Plugins, target: Target, home: Path) -> Iterator[Bundle]:
    """Write `bundles/NAME.zip` below `home` for each function, and yield each as it is done.

    Packages are taken in the versions that `requirements/runtime.txt` of the current folder pins, else in those that
    are installed. Raises BotplatformError for what cannot be had for the target, and for a bundle over the limit.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared = _Prepared(Path(folder), plugins, target, home / "packages")
        for function in functions:
            yield _zipped(function.name, list(prepared.parts(function)), home / "bundles")


class _Prepared:
    """The parts that bundles are put together from; those that several need are made once."""

    def __init__(self, folder: Path, plugins: Plugins, target: Target, cache: Path) -> None:
        self._folder = folder
        self._plugins = plugins
        self._target = target
        self._cache = cache

    def parts(self, function: Function) -> Iterator[Path]:
        """The folders whose content is the function's bundle."""
        loaded = [self._plugins.loaded[name] for name in dict.fromkeys((*function.plugins, *function.hooks))]
        yield self._part("botplatform", self._core)
        for plugin in loaded:
            yield self._part(f"plugin {plugin.name}", partial(_put_plugin, plugin))
        names = [*ALWAYS, *(name for effect in sorted(function.effects) for name in FOR_EFFECTS.get(effect, ()))]
        names += FOR_HOOKS if function.hooks else ()
        for name in names:
            yield self._fetched(name)
        for distribution in (*_brought_by(loaded), *_mounted_in(loaded)):
            yield self._package(distribution)

    def _package(self, distribution: metadata.Distribution) -> Path:
        """What a plugin's author published may be on this machine only; compiled code has to be made for Lambda."""
        if "Root-Is-Purelib: true" in (distribution.read_text("WHEEL") or ""):
            return self._part(f"package {distribution.name}", partial(copied, distribution))
        return self._fetched(distribution.name)

    def _fetched(self, name: str) -> Path:
        return fetched(name, self._target, LOCK, self._cache)

    def _part(self, name: str, fill: Callable[[Path], None]) -> Path:
        folder = self._folder / name
        if not folder.is_dir():
            folder.mkdir()
            fill(folder)
            compile_all(folder)
        return folder

    def _core(self, to: Path) -> None:
        package = Path(__file__).parents[1]
        for path in sorted(package.rglob("*.py")):
            room = path.relative_to(package).with_suffix("").as_posix()
            if not f"{room}/".startswith(_LEFT_OUT):
                _write(to / "botplatform" / path.relative_to(package), path.read_bytes())
        about = codec.encode([_told(info) for info in self._plugins.infos()])
        _write(to / "botplatform_plugins" / "plugins.json", about)
        _write(to / "botplatform_plugins" / "__init__.py", b'"""The plugins of this function."""\n')


def _put_plugin(plugin: Plugin, to: Path) -> None:
    """A plugin is known by the module name that the local loader gives it, wherever its code is."""
    entry = _entry(plugin)
    code = _STAND_IN.format(name=plugin.name, module=entry.module).encode() if entry else Path(plugin.file).read_bytes()
    _write(to / "botplatform_plugins" / f"{plugin.name}.py", code)


def _entry(plugin: Plugin) -> metadata.EntryPoint | None:
    """The entry point of a plugin that an installed package brings."""
    entries = metadata.entry_points(group=ENTRY_POINTS, name=plugin.name, value=plugin.file)
    return next(iter(entries), None)


def _brought_by(plugins: Sequence[Plugin]) -> list[metadata.Distribution]:
    """The installed packages that plugins are in, and those that these need."""
    entries = [entry for plugin in plugins if (entry := _entry(plugin))]
    return list(required([entry.dist for entry in entries if entry.dist], without=("botplatform",)).values())


def _mounted_in(plugins: Sequence[Plugin]) -> list[metadata.Distribution]:
    """The installed packages that mounted apps and skills are made with, and those that these need."""
    subscriptions = [subscription for plugin in plugins for subscription in plugin.info.subscriptions]
    packages = {package for subscription in subscriptions for package in subscription.options.get("packages", ())}
    known = metadata.packages_distributions() if packages else {}
    mounted = [metadata.distribution(known[package][0]) for package in sorted(packages) if package in known]
    return list(required(mounted, without=("botplatform",)).values())


def _told(info: PluginInfo) -> dict[str, Any]:
    """What a plugin says of itself, as functions that do not hold it can read it."""
    listens = [
        {"source": s.source, "summary": s.summary, "options": {"samples": list(s.options.get("samples", ()))}}
        for s in info.subscriptions
    ]
    return {"name": info.name, "summary": info.summary, "subscriptions": listens}


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _zipped(function: str, parts: Sequence[Path], folder: Path) -> Bundle:
    """The content of the parts as one zip; it replaces an older one as a whole."""
    files = {path.relative_to(part).as_posix(): path for part in parts for path in part.rglob("*") if path.is_file()}
    folder.mkdir(parents=True, exist_ok=True)
    path, unfinished = folder / f"{function}.zip", folder / f"{function}.zip.part"
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _TIME)
            info.external_attr = 0o644 << 16
            archive.writestr(info, files[name].read_bytes(), zipfile.ZIP_DEFLATED, 9)
    size = unfinished.stat().st_size
    if size > LIMIT:
        raise BotplatformError(f"the bundle of {function} has {size:,} bytes; Lambda takes {LIMIT:,}")
    return Bundle(function, unfinished.replace(path), size)
