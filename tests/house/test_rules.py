"""The rules of the house: where imports may point, how large things may get, what names say."""

from __future__ import annotations

import ast
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "botplatform"
MODULES = sorted(PACKAGE.rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").glob("*.py"))

# Which rooms a module may import from, besides its own and `values`.
CORE = {
    "values": set(),
    "errors": set(),
    "codec": {"errors"},
    "durations": set(),
    "patterns": set(),
    "attributes": {"codec", "errors"},
    "event": {"attributes", "codec", "errors"},
    "reply": set(),
    "subscription": {"durations", "event", "patterns"},
    "source": {"codec", "errors", "event", "reply", "subscription"},
    "effect": {"errors", "event", "store"},
    "store": {"errors", "event", "source"},
    "state": {"codec", "durations", "store"},
    "work": {"codec", "durations", "event", "source", "state", "store", "subscription"},
    "router": {"codec", "errors", "event", "patterns", "source", "subscription"},
    "reader": {"codec", "errors", "event", "patterns", "router", "source"},
    "engine": {"errors", "event", "reply", "router", "source", "store", "work"},
    "hookspecs": {"effect", "event", "reply", "source", "store", "work"},
}
# What only one room may import, wherever it stands in the file.
SDK_ROOMS = {
    "flask": ("console", "hosts.local"),
    "httptools": ("hosts.local.http",),
    "asyncio": ("hosts.local.http",),
    "werkzeug": ("console", "hosts.local"),
    "slack_bolt": ("sources.slack",),
    "slack_sdk": ("sources.slack", "effects.slack"),
    "paho": ("hosts.mqtt", "sending"),
    "iotcore": ("hosts.local",),
    "ask_sdk_core": ("sources.alexa",),
    "ask_sdk_runtime": ("sources.alexa",),
    "boto3": ("aws",),
    "botocore": ("aws", "effects", "stores.dynamodb", "hosts.aws", "hosts.worker", "deploy"),
    "cryptography": ("sources.alexa",),
    "sqlite3": ("stores.sqlite",),
    "msgspec": ("codec", "patterns.pruned", "patterns.fingerprint"),
    "click": ("cli", "terminal", "hosts.local.main", "hosts.logs"),
    "pytest": ("testing",),
}
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc", "shared"}
# Longer than the rule with a reason.
LONG_MODULES: dict[str, str] = {}


def name_of(path: Path) -> str:
    """A module's name inside the package: `sources.slack.source`."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module a file imports, wherever in it, with the line; type-checking imports are left out."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    """Every function in a file, nested ones too."""
    yield from (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_down(path):
    room = name_of(path).split(".")[0]
    if room not in CORE:
        return
    for imported, line in imports(path):
        parts = imported.split(".")
        if parts[0] == "botplatform" and len(parts) > 1:
            target = parts[1]
            assert target in CORE[room] | {room, "values"}, f"{path}:{line}: {room} may not import {imported}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_each_sdk_stays_in_its_room(path):
    for imported, line in imports(path):
        rooms = SDK_ROOMS.get(imported.split(".")[0])
        if rooms is not None:
            assert name_of(path).startswith(rooms), f"{path}:{line}: {imported} is for {', '.join(rooms)}"


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: path.stem)
def test_plugins_import_botplatform_and_the_standard_library_only(path):
    for imported, line in imports(path):
        top = imported.split(".")[0]
        assert top == "botplatform" or top in sys.stdlib_module_names, f"{path}:{line}: {imported}"


@pytest.mark.parametrize("path", [*MODULES, *PLUGINS], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_begins_with_a_sentence(path):
    text = path.read_text()
    if not text.strip():
        return
    docstring = ast.get_docstring(ast.parse(text)) or ""
    assert docstring, f"{path} has no docstring"
    first = docstring.split("\n\n")[0].rstrip()
    assert first.endswith((".", ":")), f"{path}: {first!r} is no sentence"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_and_functions_stay_small(path):
    lines = len(path.read_text().splitlines())
    assert lines <= 300 or name_of(path) in LONG_MODULES, f"{path} has {lines} lines"
    for function in functions(path):
        assert function.end_lineno is not None
        length = function.end_lineno - function.lineno + 1
        assert length <= 40, f"{path}:{function.lineno}: {function.name} has {length} lines"


def test_the_median_function_is_short():
    lengths = [(f.end_lineno or 0) - f.lineno + 1 for path in MODULES for f in functions(path)]
    assert statistics.median(lengths) < 10


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: path.stem)
def test_plugins_stay_small(path):
    assert len(path.read_text().splitlines()) <= 60


def test_no_name_is_vague():
    parts = {part for path in MODULES for part in path.relative_to(PACKAGE).with_suffix("").parts}
    assert not parts & VAGUE


def test_the_environment_is_read_in_one_room():
    readers = {name_of(path) for path in MODULES if "os.environ" in path.read_text() or "os.getenv" in path.read_text()}
    assert readers == {"cli.options", "hosts.aws_lambda.entry"}


def test_a_plugins_bug_is_caught_in_one_place():
    """A bare or broad except elsewhere needs its reason here."""
    broad = {
        name_of(path)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or "Exception" in {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)})
    }
    assert broad == {
        "engine",  # the guard around a handler
        "plugins",  # the guard around a plugin's import
        "effect",  # the guard around an effect
        "hosts.local.http.errors",  # a bug of ours is answered with 500, and ends no connection
        "hosts.jobs",  # a job that failed is logged and run again
        "hosts.mqtt.client",  # the network thread goes on
        "stores.sqlite.savepoints",  # handed on to whoever waits for the change
    }


def test_nothing_asks_whether_it_is_under_test():
    for path in MODULES:
        assert "PYTEST" not in path.read_text(), path


def test_tests_patch_nothing():
    for path in (ROOT / "tests").rglob("*.py"):
        if path != Path(__file__):
            assert "mock.patch" not in path.read_text(), path


def test_importing_any_module_does_nothing_and_needs_no_environment(tmp_path):
    names = [f"botplatform.{name_of(path)}".removesuffix(".") for path in MODULES if path.name != "__main__.py"]
    script = (
        "import sys, socket, threading\n"
        "sys.addaudithook(lambda event, args: sys.exit(f'{event} {args}') if event in"
        " ('socket.connect', 'socket.bind', 'subprocess.Popen') else None)\n"
        f"for name in {names!r}: __import__(name)\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PATH": os.defpath}, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())


def test_the_core_imports_no_sdk(tmp_path):
    """What a Lambda with one MQTT handler would import costs it no Flask, Slack, Alexa or boto3."""
    script = (
        "import sys\n"
        "from botplatform import Context, Event, Reply, mqtt\n"
        "import botplatform.engine, botplatform.router\n"
        f"found = sorted({set(SDK_ROOMS)!r} & set(sys.modules))\n"
        "assert not found, found\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_public_surface_is_what_the_docs_say():
    import botplatform

    assert botplatform.__all__ == sorted(botplatform.__all__)
    assert set(dir(botplatform)) == {*botplatform.__all__, "__version__"}
    for name in botplatform.__all__:
        assert getattr(botplatform, name) is not None
