"""Bundles, as Lambda would get them: unpacked alone, and looked into."""

from __future__ import annotations

import importlib.metadata
import json
import os
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from botplatform.deploy import bundle, packages
from botplatform.deploy.functions import functions
from botplatform.deploy.packages import Architecture
from botplatform.errors import BotplatformError
from botplatform.plugins import Plugins
from tests.plugin_files import load

ROOT = Path(__file__).resolve().parents[2]
# ELF specification, "Machine Information".
MACHINES = {62: "x86_64", 183: "arm64"}
HERE: Architecture = "arm64" if os.uname().machine == "aarch64" else "x86_64"
STATELESS = '''
    """Logs readings."""

    from botplatform import Event, mqtt


    @mqtt.topic("meters/{meter}")
    def note(event: Event) -> None:
        print("noted", event.data["value"])
'''
POSTING = '''
    """Posts readings."""

    from botplatform import Context, mqtt

    USES = ["slack"]


    @mqtt.topic("meters/{meter}")
    def post(ctx: Context) -> None:
        ctx.slack("#home", ctx.params["meter"])
'''
# What the topic rule of serverless.yml makes of a message.
READING = {"payload_base64": "eyJ2YWx1ZSI6IDd9", "topic": "meters/7", "id": "1", "timestamp": 1_767_610_000_000}
ALONE = """
import json, sys
sys.path[:0] = [{bundle!r}]
from botplatform.hosts.aws_lambda.entry import handle

class Context:
    aws_request_id, function_name = "1", "botplatform-test"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:1:function:botplatform-test"
    get_remaining_time_in_millis = staticmethod(lambda: 60_000)

handle(json.loads(sys.argv[1]), Context())
strange = [m.__file__ for m in sys.modules.values() if "packages" in (getattr(m, "__file__", None) or "")]
assert not strange, strange
assert not {{"boto3", "botocore", "pluggy", "flask"}} & set(sys.modules)
"""

Build = Callable[..., dict[str, Path]]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packages fetched once for all tests; where none can be fetched, they skip, but not in CI."""
    cache = tmp_path_factory.mktemp("packages")
    try:
        for architecture in ("arm64", "x86_64"):
            packages.fetched("msgspec", packages.target(architecture), Path("nothing"), cache)
    except BotplatformError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no package index: {error}")
    return cache


@pytest.fixture
def build(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Builds the bundles of some plugins, in a folder without pinned versions."""
    monkeypatch.chdir(tmp_path)

    def build(plugins: Plugins, architecture: Architecture = HERE, to: str = "home") -> dict[str, Path]:
        home = tmp_path / to
        home.mkdir(exist_ok=True)
        if not (home / "packages").exists():
            (home / "packages").symlink_to(cache)
        target = packages.target(architecture)
        return {made.function: made.path for made in bundle.build(functions(plugins), plugins, target, home)}

    return build


def names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def tops(path: Path) -> set[str]:
    return {name.partition("/")[0] for name in names(path) if ".dist-info/" not in name}


def handled(path: Path, folder: Path, event: Any, **environment: str) -> str:
    """What a bundle unpacked alone writes when it handles its first event, with nothing else on the path."""
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    command = [sys.executable, "-I", "-S", "-B", "-c", ALONE.format(bundle=str(folder)), json.dumps(event)]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_bundle_alone_handles_its_first_event(build: Build, tmp_path: Path) -> None:
    made = build(load(tmp_path / "plugins", meter=STATELESS))
    said = handled(
        made["meter"], tmp_path / "alone", READING, BOTPLATFORM_LOAD="meter", BOTPLATFORM_SOURCES="mqtt"
    ).splitlines()
    assert (said[0], json.loads(said[-1])["handlers"][0]["status"]) == ("noted 7", "done")


@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_a_bundle_is_small_and_for_its_processor(build: Build, architecture: Architecture) -> None:
    for path in build(Plugins([ROOT / "plugins"]), architecture).values():
        assert path.stat().st_size < 15_000_000
        with zipfile.ZipFile(path) as archive:
            libraries = [archive.read(name) for name in archive.namelist() if name.endswith(".so")]
        machines = {MACHINES[struct.unpack_from("<H", library, 18)[0]] for library in libraries}
        assert machines == {architecture}


def test_a_bundle_has_what_its_function_needs_and_nothing_else(build: Build, tmp_path: Path) -> None:
    made = build(load(tmp_path / "plugins", meter=STATELESS, poster=POSTING))
    assert tops(made["meter"]) == {"botplatform", "botplatform_plugins", "msgspec"}
    assert tops(made["poster"]) == {"botplatform", "botplatform_plugins", "msgspec", "slack", "slack_sdk"}
    plugins = {name for name in names(made["meter"]) if name.startswith("botplatform_plugins/") and "pyc" not in name}
    assert plugins == {f"botplatform_plugins/{name}" for name in ("__init__.py", "meter.py", "plugins.json")}
    rooms = {name.split("/")[1] for name in names(made["meter"]) if name.startswith("botplatform/")}
    assert not rooms & {"cli", "console", "deploy", "terminal", "testing.py"}


def test_the_same_content_makes_the_same_bytes_in_any_process_at_any_time(build: Build, tmp_path: Path) -> None:
    plugins = load(tmp_path / "plugins", meter=STATELESS)
    ours = build(plugins)["meter"].read_bytes()
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from botplatform.deploy import bundle, packages\nfrom botplatform.deploy.functions import functions\n"
        "from botplatform.plugins import Plugins\n"
        "plugins = Plugins([Path('plugins')])\n"
        f"list(bundle.build(functions(plugins), plugins, packages.target({HERE!r}), Path('home')))\n"
    )
    (tmp_path / "plugins" / "meter.py").touch()
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, env={"PYTHONHASHSEED": "7"})
    assert (tmp_path / "home/bundles/meter.zip").read_bytes() == ours


def test_a_change_in_a_plugin_changes_no_other_bundle(build: Build, tmp_path: Path) -> None:
    before = {
        name: path.read_bytes() for name, path in build(load(tmp_path / "plugins", a=STATELESS, b=POSTING)).items()
    }
    changed = load(tmp_path / "plugins", a=STATELESS.replace("noted", "wrote"))
    after = {name: path.read_bytes() for name, path in build(changed).items()}
    assert [name for name in ("a", "b") if before[name] != after[name]] == ["a"]


def test_all_code_is_compiled_and_its_byte_code_valid_whatever_its_time(build: Build, tmp_path: Path) -> None:
    path = build(load(tmp_path / "plugins", meter=STATELESS))["meter"]
    tag = sys.implementation.cache_tag
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".py"):
                folder, _, file = name.rpartition("/")
                code = archive.read(f"{folder}/__pycache__/{file[:-3]}.{tag}.pyc")
                # PEP 552: the second word's lowest bit is for a hash, and without the next one nobody checks it.
                assert int.from_bytes(code[4:8], "little") == 1, name


def test_every_function_can_say_what_all_plugins_are_for(build: Build, tmp_path: Path) -> None:
    path = build(load(tmp_path / "plugins", meter=STATELESS, poster=POSTING))["meter"]
    with zipfile.ZipFile(path) as archive:
        told = json.loads(archive.read("botplatform_plugins/plugins.json"))
    assert [(info["name"], info["summary"]) for info in told] == [
        ("meter", "Logs readings."),
        ("poster", "Posts readings."),
    ]
    assert told[0]["subscriptions"] == [{"source": "mqtt", "summary": "meters/{meter}", "options": {"samples": []}}]


# Plugins in installed packages.


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where a package with a plugin is installed, and one it needs."""
    site = tmp_path / "site"
    code = "\n".join(line.removeprefix("    ") for line in STATELESS.splitlines())
    package(
        site, "acme-meter", "acme_meter", f"import acme_words\n{code}", ["acme-words", "botplatform", "x; extra == 'y'"]
    )
    package(site, "acme-words", "acme_words", "", [])
    (site / "acme_meter-1.0.dist-info" / "entry_points.txt").write_text("[botplatform]\nmeter = acme_meter\n")
    monkeypatch.syspath_prepend(str(site))
    return site


def package(site: Path, name: str, module: str, code: str, requires: list[str]) -> None:
    about = site / f"{module}-1.0.dist-info"
    about.mkdir(parents=True)
    (site / f"{module}.py").write_text(code)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {line}" for line in requires)]
    (about / "METADATA").write_text("\n".join(lines) + "\n")
    (about / "WHEEL").write_text("Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
    (about / "RECORD").write_text(f"{module}.py,,\n{about.name}/METADATA,,\n{about.name}/RECORD,,\n")


@pytest.mark.usefixtures("installed")
def test_a_plugin_in_an_installed_package_comes_with_what_it_needs(build: Build, tmp_path: Path) -> None:
    path = build(Plugins([], entry_points=True))["meter"]
    assert {"acme_meter.py", "acme_words.py", "botplatform_plugins/meter.py"} <= set(names(path))
    assert "boto3" not in tops(path)
    said = handled(path, tmp_path / "alone", READING, BOTPLATFORM_LOAD="meter", BOTPLATFORM_SOURCES="mqtt")
    assert said.startswith("noted 7\n")


def test_a_package_that_is_not_really_here_is_refused(build: Build, installed: Path) -> None:
    (installed / "acme_words-1.0.dist-info" / "direct_url.json").write_text('{"dir_info": {"editable": true}}')
    with pytest.raises(
        BotplatformError, match="acme-words is installed as editable: install it as it would be published"
    ):
        build(Plugins([], entry_points=True))


# Apps and skills that were there before.

BOLT = '''
    """A Bolt app that was there before."""

    from slack_bolt import App

    from botplatform import mqtt, slack


    class Ours(App):
        pass


    slack.mount(Ours(signing_secret="not-a-real-secret", token="xoxb-not-real", token_verification_enabled=False))


    @mqtt.topic("meters/{meter}")
    def note(event):
        print("noted", event.data["value"])
'''
SKILL = '''
    """A skill that was there before."""

    from ask_sdk_core.skill_builder import SkillBuilder

    from botplatform import alexa

    alexa.mount(SkillBuilder())
'''


def test_a_mounted_app_comes_with_what_it_is_made_with(build: Build, tmp_path: Path) -> None:
    made = build(load(tmp_path / "plugins", bolt=BOLT, poster=POSTING))
    for name in ("slack", "bolt"):
        assert {"slack_bolt", "slack_sdk"} <= tops(made[name])
    assert "slack_bolt" not in tops(made["poster"])
    said = handled(made["bolt"], tmp_path / "alone", READING, BOTPLATFORM_LOAD="bolt", BOTPLATFORM_SOURCES="mqtt")
    assert said.startswith("noted 7\n")


def test_so_does_a_mounted_skill(build: Build, tmp_path: Path) -> None:
    made = build(load(tmp_path / "plugins", skill=SKILL))
    assert {"ask_sdk_core", "ask_sdk_model", "ask_sdk_runtime", "dateutil", "requests"} <= tops(made["alexa"])


# Packages.


def test_a_pinned_package_has_to_have_its_hash(tmp_path: Path, cache: Path) -> None:
    del cache
    version = importlib.metadata.version("msgspec")
    lock = tmp_path / "runtime.txt"
    lock.write_text(f"msgspec=={version} \\\n    --hash=sha256:{'0' * 64}\n    # via us\n")
    with pytest.raises(
        BotplatformError, match=rf"msgspec=={version} cannot be fetched for Lambda: THESE PACKAGES DO NOT"
    ):
        packages.fetched("msgspec", packages.target("arm64"), lock, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_the_pinned_versions_are_those_of_the_lock_file(tmp_path: Path, cache: Path) -> None:
    del cache
    lock = ROOT / "requirements" / "runtime.txt"
    folder = packages.fetched("msgspec", packages.target("x86_64"), lock, tmp_path)
    version = folder.name.split("-")[1]
    assert f"\nmsgspec=={version} " in lock.read_text()
    assert (folder / f"msgspec-{version}.dist-info" / "METADATA").is_file()


def test_what_was_fetched_is_not_fetched_again(tmp_path: Path) -> None:
    version = importlib.metadata.version("msgspec")
    target = packages.target("arm64")
    there = tmp_path / f"msgspec-{version}-python{target.python}-arm64"
    there.mkdir()
    assert packages.fetched("msgspec", target, Path("nothing"), tmp_path) == there
