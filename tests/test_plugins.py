"""Plugins are found, checked and loaded; each mistake is one sentence, and nobody else's problem."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import botplatform
from botplatform import Event
from botplatform.errors import Rejected
from botplatform.plugins import Plugins
from botplatform.reply import Reply
from botplatform.router import Router
from botplatform.testing import Platform
from tests.plugin_files import load, write

GOOD = """
    '''Answers.

    More of it.
    '''
    from botplatform import slack


    @slack.command("/good")
    def answer(ctx):
        return "good"
"""

# What an author can get wrong: the plugin's source, and all that is said of it.
MISTAKES: dict[str, tuple[str, str]] = {
    "a typo in a decorator": (
        """
        from botplatform import slack

        @slack.comand("/temp")
        def answer(ctx): ...
        """,
        "3: slack has no 'comand'; did you mean 'command'?",
    ),
    "forgotten parentheses": (
        """
        from botplatform import mqtt

        @mqtt.topic
        def answer(ctx): ...
        """,
        '3: say what to listen to: @mqtt.topic("sensors/{room}/temperature")',
    ),
    "a misspelt import": (
        "from botplatform import Contxt",
        f"1: ImportError: cannot import name 'Contxt' from 'botplatform' ({botplatform.__file__}); "
        "did you mean 'Context'?",
    ),
    "a misspelt name": (
        """
        import botplatform

        botplatform.Contxt
        """,
        "3: AttributeError: module 'botplatform' has no attribute 'Contxt'; did you mean 'Context'?",
    ),
    "a name that was not imported": (
        """
        from botplatform import slack

        def answer(event: Event, ctx): ...
        """,
        "3: NameError: name 'Event' is not defined; write: from botplatform import Event",
    ),
    "a missing module": (
        "import requets",
        "1: cannot import 'requets': it is not installed, or misspelt",
    ),
    "another plugin imported": (
        "import too_hot",
        "1: cannot import 'too_hot': it is not installed, or misspelt",
    ),
    "itself imported": (
        "from broken import answer",
        "1: cannot import 'broken': it is not installed, or misspelt",
    ),
    "a wrong argument": (
        """
        from botplatform import slack

        @slack.command("/temp")
        def answer(event, context): ...
        """,
        "3: answer() takes an argument 'context'; a handler takes event and ctx",
    ),
    "an async handler": (
        """
        from botplatform import slack

        @slack.command("/temp")
        async def answer(event, ctx): ...
        """,
        "3: answer() is async or a generator; a handler is a plain function",
    ),
    "a generator": (
        """
        from botplatform import slack

        @slack.command("/temp")
        def answer(event, ctx):
            yield "warm"
        """,
        "3: answer() is async or a generator; a handler is a plain function",
    ),
    "a class": (
        """
        from botplatform import slack

        @slack.command("/temp")
        class Answer: ...
        """,
        "3: TypeError: /temp decorates a type, not a function",
    ),
    "two handlers for a command": (
        """
        from botplatform import slack

        @slack.command("/temp {room}")
        def one(ctx): ...

        @slack.command("/temp")
        def other(ctx): ...
        """,
        "6: the slash command /temp is answered by broken.one already ({file}:3)",
    ),
    "two handlers for an intent": (
        """
        from botplatform import alexa

        @alexa.intent("LockIntent")
        def one(ctx): ...

        @alexa.intent("LockIntent")
        def other(ctx): ...
        """,
        "6: the Alexa intent LockIntent is answered by broken.one already ({file}:3)",
    ),
    "an unknown slot": (
        """
        from botplatform import alexa

        @alexa.intent("LockIntent", samples=["lock the {dor}"], slots={"door": "DOOR"})
        def lock(ctx): ...
        """,
        "3: unknown slot 'dor' in the sample 'lock the {{dor}}' (slots: door)",
    ),
    "a bad intent name": (
        """
        from botplatform import alexa

        @alexa.intent("Lock Intent")
        def lock(ctx): ...
        """,
        "3: 'Lock Intent' is no intent name: letters and underscores only",
    ),
    "a bad command": (
        """
        from botplatform import slack

        @slack.command("temp {room}")
        def answer(ctx): ...
        """,
        "3: 'temp {{room}}' is no slash command: it begins with / and a lower-case name, as in '/temp'",
    ),
    "a bad pattern": (
        """
        from botplatform import cloudtrail

        @cloudtrail.event({"eventName": "ConsoleLogin"})
        def warn(event): ...
        """,
        '3: $.data.eventName: "eventName" must be an object or an array',
    ),
    "an unknown operator": (
        """
        from botplatform import cloudtrail

        @cloudtrail.event({"eventName": [{"prefx": "Console"}]})
        def warn(event): ...
        """,
        '3: $.data.eventName[0]: there is no operator "prefx"',
    ),
    "a bad cron expression": (
        """
        from botplatform import schedule

        @schedule.on("cron(0 7 * * MON-FRI)")
        def post(ctx): ...
        """,
        "3: there must be 6 fields, not 5: cron(minutes hours day-of-month month day-of-week year), "
        "such as cron(0 18 ? * MON-FRI *)",
    ),
    "a bad zone": (
        """
        from botplatform import schedule

        @schedule.on("cron(0 7 ? * MON-FRI *)", timezone="Europe/Berln")
        def post(ctx): ...
        """,
        "3: timezone: unknown time zone 'Europe/Berln': it must be an IANA name, such as 'Europe/Berlin'",
    ),
    "a bad topic": (
        """
        from botplatform import mqtt

        @mqtt.topic("sensors/#/temperature")
        def remember(event): ...
        """,
        "3: level 2: # and {{name...}} can only come last",
    ),
    "a syntax error": (
        """
        from botplatform import slack

        def answer(:
        """,
        "3: invalid syntax: def answer(:",
    ),
    "an unknown effect": (
        """
        from botplatform import slack

        USES = ["txt"]

        @slack.command("/temp")
        def answer(ctx): ...
        """,
        "3: USES names an unknown effect 'txt'; did you mean 'text'?",
    ),
    "an effect nobody could have meant": (
        """
        from botplatform import slack
        USES = ["carrier pigeon"]
        @slack.command("/temp")
        def answer(ctx): ...
        """,
        "2: USES names an unknown effect 'carrier pigeon' (known: emit, publish, slack, text)",
    ),
    "USES as a string": ('USES = "text"', '1: USES is a list of effects: USES = ["text"]'),
    "USES as None": ("USES = None", '1: USES is a list of effects: USES = ["text"]'),
    "USES of numbers": ("USES = [1]", '1: USES is a list of effects: USES = ["text"]'),
    "an exit": (
        """
        import sys

        sys.exit("no")
        """,
        "3: it exits when it is imported",
    ),
    "a bug": (
        """
        def limit():
            return 1 / 0

        LIMIT = limit()
        """,
        "2: ZeroDivisionError: division by zero",
    ),
    "a misspelt hook": (
        """
        from botplatform import hookimpl

        @hookimpl
        def efects(settings, host): ...
        """,
        " unknown hook 'efects'; did you mean 'effects'?",
    ),
    "a wrong argument of a hook": (
        """
        from botplatform import hookimpl

        @hookimpl
        def effects(setings): ...
        """,
        " Plugin 'broken' for hook 'effects' hookimpl definition: effects(setings) Argument(s) {{'setings'}} are "
        "declared in the hookimpl but can not be found in the hookspec",
    ),
    "a hook that fails": (
        """
        from botplatform import hookimpl

        @hookimpl
        def effects(settings):
            return settings["TOKEN"]
        """,
        "5: KeyError: 'TOKEN'",
    ),
}
every_mistake = pytest.mark.parametrize(("source", "said"), MISTAKES.values(), ids=MISTAKES.keys())


def names(plugins: Plugins) -> list[str]:
    return [handler.name for handler in plugins.handlers]


def command(name: str) -> Event:
    return Event(type="com.slack.command", source="urn:slack:T1", id="1", subject=name, data={"text": ""})


def answer(plugins: Plugins, name: str = "/good") -> Any:
    """What the one handler of a command returns."""
    (match,) = Router(plugins.handlers).route(command(name))
    return match.handler.function(**dict.fromkeys(match.handler.arguments))


# Mistakes


@every_mistake
def test_a_mistake_is_one_sentence_that_begins_with_its_file_and_line(source: str, said: str, tmp_path: Path) -> None:
    plugins = load(tmp_path, broken=source)
    file = tmp_path / "broken.py"
    said = said.replace("{file}", str(file)).replace("{{", "{").replace("}}", "}")
    assert [str(mistake) for mistake in plugins.mistakes] == [f"{file}:{said}"]
    assert "broken" not in plugins.loaded


@every_mistake
@pytest.mark.parametrize("name", ["a_plugin_before", "z_plugin_after"])
def test_a_mistake_keeps_no_other_plugin_out(source: str, said: str, name: str, tmp_path: Path) -> None:
    del said
    plugins = load(tmp_path, broken=source, **{name: GOOD})
    assert names(plugins) == [f"{name}.answer"]
    assert answer(plugins) == "good"


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    plugins = load(tmp_path, one="import requets", two="USES = 'text'", three=GOOD)
    assert [Path(mistake.file).stem for mistake in plugins.mistakes] == ["one", "two"]


@pytest.mark.parametrize("name", ["Too-Hot", "TooHot", "2hot", "zu_heiß", "too hot"])
def test_a_bad_file_name_is_a_mistake(name: str, tmp_path: Path) -> None:
    (mistake,) = load(tmp_path, **{name: GOOD}).mistakes
    assert mistake.reason == f"{name!r} is no plugin name: lower-case letters, digits and _, as in too_hot.py"


def test_two_plugins_may_not_claim_the_same_command(tmp_path: Path) -> None:
    plugins = load(tmp_path, first=GOOD, second=GOOD)
    (mistake,) = plugins.mistakes
    assert str(mistake) == (
        f"{tmp_path / 'second.py'}:8: the slash command /good is answered by first.answer already "
        f"({tmp_path / 'first.py'}:8)"
    )
    assert names(plugins) == ["first.answer"]


def test_a_handler_has_one_schedule(tmp_path: Path) -> None:
    source = """
        from botplatform import schedule

        @schedule.on("rate(1 hour)")
        @schedule.on("rate(1 day)")
        def post(ctx): ...
    """
    (mistake,) = load(tmp_path, digest=source).mistakes
    assert "the schedule digest.post is answered by digest.post already" in mistake.reason


def test_import_loops_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "library"
    write(library, loop_there="from loop_back import back\n", loop_back="from loop_there import there\n")
    monkeypatch.syspath_prepend(library)
    (mistake,) = load(tmp_path / "plugins", looping="from loop_there import there").mistakes
    assert mistake.line == 1
    assert mistake.reason.startswith(
        "ImportError: cannot import name 'there' from partially initialized module 'loop_there' "
        "(most likely due to a circular import)"
    )


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=rf"^the plugin folder {tmp_path / 'plugs'} does not exist$"):
        Plugins([tmp_path / "plugs"])


# What is loaded


def test_a_plugin_says_what_it_is_for(tmp_path: Path) -> None:
    (info,) = load(tmp_path, good=GOOD).infos()
    assert (info.name, info.summary, [s.summary for s in info.subscriptions]) == ("good", "Answers.", ["/good"])


def test_a_plugin_may_be_without_a_docstring_and_without_handlers(tmp_path: Path) -> None:
    (info,) = load(tmp_path, idle="LIMIT = 30").infos()
    assert (info.summary, info.subscriptions) == ("", [])


def test_files_that_begin_with_an_underscore_are_no_plugins(tmp_path: Path) -> None:
    assert not load(tmp_path, _draft="import requets").mistakes


def test_a_handler_is_callable_as_it_was_written(tmp_path: Path) -> None:
    assert load(tmp_path, good=GOOD).loaded["good"].module.answer(None) == "good"


def test_a_handler_listens_to_all_its_decorators_topmost_first(tmp_path: Path) -> None:
    source = """
        from botplatform import alexa, mqtt, slack

        @slack.command("/b")
        @alexa.launch()
        @mqtt.topic("a")
        def answer(ctx): ...
    """
    (handler,) = load(tmp_path, several=source).handlers
    assert [(s.source, s.line) for s in handler.subscriptions] == [("slack", 3), ("alexa", 4), ("mqtt", 5)]


def test_a_handler_imported_into_another_plugin_belongs_to_where_it_comes_from(tmp_path: Path) -> None:
    plugins = load(tmp_path, a_first=GOOD, b_second="from botplatform_plugins.a_first import answer")
    assert not plugins.mistakes
    assert names(plugins) == ["a_first.answer"]
    assert [hook.plugin_name for hook in plugins.manager.hook.handle.get_hookimpls()] == ["a_first"]


def test_a_handler_with_a_second_name_is_one_handler(tmp_path: Path) -> None:
    plugins = load(tmp_path, good=GOOD + "\n    reply = answer\n")
    assert names(plugins) == ["good.answer"]


def test_a_plugin_is_blocked_by_its_name(tmp_path: Path) -> None:
    write(tmp_path, good=GOOD, broken="import requets")
    plugins = Plugins([tmp_path], blocked=["broken"])
    assert (list(plugins.loaded), plugins.mistakes) == (["good"], [])


def test_the_first_of_two_plugins_of_one_name_is_loaded(tmp_path: Path) -> None:
    here, there = write(tmp_path / "here", good=GOOD), write(tmp_path / "there", good="import requets")
    plugins = Plugins([here, there])
    assert [m.reason for m in plugins.mistakes] == [f"plugin 'good' is there already, from {here / 'good.py'}"]
    assert answer(plugins) == "good"


# Reloading


def test_a_change_is_loaded_however_fast_it_comes(tmp_path: Path) -> None:
    before = load(tmp_path, good=GOOD)
    after = Plugins([write(tmp_path, good=GOOD.replace('"good"', '"best"'))], previous=before)
    assert (answer(before), answer(after)) == ("good", "best")


@every_mistake
def test_the_previous_version_goes_on_serving_when_a_reload_fails(source: str, said: str, tmp_path: Path) -> None:
    del said
    before = load(tmp_path, broken=GOOD)
    after = Plugins([write(tmp_path, broken=source)], previous=before)
    assert len(after.mistakes) == 1
    assert answer(after) == "good"


def test_the_previous_version_keeps_its_type_hints(tmp_path: Path) -> None:
    source = """
        from __future__ import annotations
        from typing import TypedDict
        from botplatform import mqtt

        Celsius = float

        class Reading(TypedDict):
            celsius: Celsius

        @mqtt.topic("sensors/{room}", schema=Reading)
        def remember(event, ctx):
            ctx.state["celsius"] = event.data["celsius"]
    """
    before = load(tmp_path / "plugins", room=source)
    after = Plugins([write(tmp_path / "plugins", room="import requets")], previous=before)
    with Platform(tmp_path, before) as platform:
        platform._router = Router(after.handlers)
        platform.mqtt("sensors/kitchen", {"celsius": 21.5})
        assert platform.state("room") == {"celsius": 21.5}


def test_a_plugin_whose_file_is_gone_is_gone(tmp_path: Path) -> None:
    before = load(tmp_path, good=GOOD)
    (tmp_path / "good.py").unlink()
    assert names(Plugins([tmp_path], previous=before)) == []


# Third parties

WEATHER = '''
    """Hears of the weather, and sends pigeons."""

    from botplatform import Event, Rejected, cloudevents, hookimpl
    from botplatform.effect import Effect
    from botplatform.source import Source

    USES = ["pigeon"]


    def normalize(raw):
        words = raw.body.decode().split()
        if len(words) != 2:
            yield Rejected("a report has a place and a sky")
        else:
            yield Event(type="com.example.weather", source="/weather", id=raw.body.decode(), data=words)


    @hookimpl
    def sources():
        return [
            Source(
                name="weather",
                recognizes=lambda value: False,
                normalize=normalize,
                suggest=lambda event: "…",
                owns=lambda event: event.source == "/weather",
                reply_within=lambda event: 1.0,
            )
        ]


    @hookimpl
    def effects(settings):
        def perform(arguments, key):
            return {"flown to": arguments["to"]}

        return [Effect("pigeon", perform, "the roof")]


    @cloudevents.event("com.example.weather")
    def warn(event, ctx):
        place, sky = event.data
        ctx.effect("pigeon", {"to": place, "note": sky})
        return f"It is {sky} in {place}."
'''


def test_a_plugin_brings_a_source_and_an_effect_of_its_own(tmp_path: Path) -> None:
    plugins = load(tmp_path / "plugins", weather=WEATHER)
    assert not plugins.mistakes
    with Platform(tmp_path, plugins) as platform:
        assert platform.raw("weather", b"Berlin grey") == Reply("It is grey in Berlin.")
        assert platform.effects("pigeon") == [{"to": "Berlin", "note": "grey"}]
        with pytest.raises(Rejected, match=r"^a report has a place and a sky$"):
            platform.raw("weather", b"grey")


def test_an_effect_of_a_plugin_that_sorts_later_may_be_used(tmp_path: Path) -> None:
    source = """
        from botplatform import slack

        USES = ["pigeon"]

        @slack.command("/pigeon")
        def send(ctx): ...
    """
    assert "before" in load(tmp_path, before=source, weather=WEATHER).loaded


# Installed plugins


def install(folder: Path, entry_points: str, **modules: str) -> Path:
    """What an installed distribution looks like on disk."""
    write(folder, **modules)
    info = folder / "home_plugins-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: home-plugins\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(dedent(entry_points).lstrip("\n"))
    return folder


def installed(folder: Path, *options: str) -> list[str]:
    """The handlers and mistakes a new process finds when that distribution is installed."""
    script = (
        "import sys\n"
        f"sys.path.insert(0, {str(folder)!r})\n"
        "from botplatform.plugins import Plugins\n"
        f"plugins = Plugins(entry_points=True, {', '.join(options)})\n"
        "print(*(handler.name for handler in plugins.handlers), *plugins.mistakes, sep='\\n')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


ENTRY_POINTS = """
    [botplatform]
    good = home_good
    other = home_other
    broken = home_missing
"""
IMPORTING = """
    from home_good import answer
    from botplatform import slack

    @slack.command("/other")
    def other(ctx): ...
"""


def test_installed_plugins_are_found_by_their_entry_points(tmp_path: Path) -> None:
    folder = install(tmp_path / "site", ENTRY_POINTS, home_good=GOOD, home_other=IMPORTING)
    assert installed(folder) == [
        "good.answer",
        "other.other",
        "home_missing: cannot import 'home_missing': it is not installed, or misspelt",
    ]


def test_an_installed_plugin_is_blocked_by_its_name(tmp_path: Path) -> None:
    folder = install(tmp_path / "site", ENTRY_POINTS, home_good=GOOD, home_other=IMPORTING)
    assert installed(folder, "blocked=['broken', 'other']") == ["good.answer"]
