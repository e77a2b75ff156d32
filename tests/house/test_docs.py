"""The docs are true: derived pages are current, examples run, and commands exist."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import botplatform
from botplatform import hookspecs, settings
from tests.scripts import load

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"(?:<!-- (?P<file>\S+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)```", re.S)


def blocks(page: Path, language: str) -> list[tuple[str | None, str]]:
    """The code blocks of a page in one language, with the file each is to be saved as, if it says so."""
    found = BLOCK.finditer(page.read_text())
    return [(block["file"], block["text"]) for block in found if block["language"] == language]


def derived() -> dict[str, str]:
    return {name: text() for name, text in load("derive").DERIVED.items()}


@pytest.mark.parametrize("name", derived())
def test_derived_files_are_current(name):
    assert (ROOT / name).read_text() == derived()[name], "run: python docs/derive.py"


def test_every_setting_is_documented_where_people_look():
    for setting in settings.declared():
        assert setting.name in (ROOT / ".env.example").read_text()
        assert f"`{setting.name}`" in (ROOT / "docs" / "settings.md").read_text()


def test_every_hook_is_documented_and_used_by_the_platform_itself():
    from botplatform.plugins import Plugins

    hooks = {name for name in vars(hookspecs) if hasattr(getattr(hookspecs, name), "botplatform_spec")}
    page = (ROOT / "docs" / "hooks.md").read_text()
    assert {name for name in hooks if f"## `{name}(" in page} == hooks
    manager = Plugins([ROOT / "plugins"]).manager
    unused = {name for name in hooks if not getattr(manager.hook, name).get_hookimpls()}
    assert not unused


def test_every_public_name_is_documented():
    text = "".join(page.read_text() for page in PAGES)
    for name in botplatform.__all__:
        assert re.search(rf"\b{name}\b", text), name


def test_links_lead_somewhere():
    for page in PAGES:
        for target, place in re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", page.read_text()):
            found = page.parent / target if target else page
            assert found.exists(), f"{page}: {target}"
            assert not place or place in places(found), f"{page}: {target}#{place}"


def places(page: Path) -> set[str]:
    """What a link can name on a page: its headings, the way GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "plugins.md"], ids=lambda page: page.name)
def test_plugins_and_tests_on_a_page_work(page, tmp_path):
    plugins = [(file, text) for file, text in blocks(page, "python") if "def test_" not in text]
    tests = [(file, text) for file, text in blocks(page, "python") if "def test_" in text]
    assert plugins
    assert tests
    for number, (file, text) in enumerate([*plugins, *tests]):
        path = tmp_path / (file or ("plugins/doors.py" if number < len(plugins) else "tests/test_page.py"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--rootdir", tmp_path, tmp_path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def commands(page: Path) -> list[str]:
    return [line.split("#")[0].strip() for _, text in blocks(page, "sh") for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("command", [c for c in commands(ROOT / "README.md") if c.startswith("make ")])
def test_make_targets_on_the_readme_exist(command):
    """They are run for real by CI, which calls them."""
    done = subprocess.run([*command.split(), "--dry-run"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_commands_on_the_readme_work_as_written(tmp_path):
    """All of them, in their order, against a platform as `make run` starts it, on other ports."""
    for name in ("plugins", "events", "fixtures"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / ".env").write_text("BOTPLATFORM_PORT=0\nMQTT_PORT=0\n")
    tool = Path(sys.executable).parent / "botplatform"
    with subprocess.Popen([tool, "run"], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as platform:
        try:
            assert platform.stdout
            while "Ctrl-C stops it" not in platform.stdout.readline():
                assert platform.poll() is None
            for command in commands(ROOT / "README.md"):
                if command.startswith("botplatform "):
                    done = subprocess.run(
                        f"{tool}{command.removeprefix('botplatform')}",
                        shell=True,
                        cwd=tmp_path,
                        capture_output=True,
                        text=True,
                        check=False,
                    )
                    assert done.returncode == 0, (command, done.stdout, done.stderr)
        finally:
            platform.terminate()
            assert platform.wait(20) == 0
