"""Plugins become functions: one for each, one for Slack, one for Alexa, one for the queue, and one that sweeps."""

from __future__ import annotations

import pytest

from botplatform.deploy.functions import check_stage, functions
from botplatform.errors import PluginMistake, Rejected
from tests.plugin_files import load

LISTENS = {
    "mqtt": '@mqtt.topic("a/b")',
    "cloudtrail": "@cloudtrail.event()",
    "schedule": '@schedule.on("rate(5 minutes)")',
    "cloudevents": '@cloudevents.event("a.b")',
    "slack": '@slack.command("/a")',
    "alexa": '@alexa.intent("AIntent")',
}


def source_of(listens: str, declared: str = "", arguments: str = "event, ctx") -> str:
    """A plugin's source with one handler."""
    sources = "alexa, cloudevents, cloudtrail, mqtt, schedule, slack"
    return f"'''It.'''\nfrom botplatform import {sources}\n{declared}\n\n{listens}\ndef handle({arguments}): ...\n"


def by_name(plugins):
    assert not plugins.mistakes
    return {function.name: function for function in functions(plugins)}


def test_every_function_holds_the_plugins_it_needs_and_hears_only_its_own_sources(everything):
    found = [(function.name, function.plugins, function.sources) for function in functions(everything)]
    assert found == [
        ("digest", ("digest",), ("mqtt",)),
        ("doors", ("doors",), ("mqtt",)),
        ("lamp", ("lamp",), ("mqtt",)),
        ("watch", ("watch",), ("cloudtrail", "schedule", "cloudevents")),
        ("slack", ("doors",), ("slack",)),
        ("alexa", ("doors",), ("alexa",)),
        ("queue", ("digest", "doors", "lamp", "watch"), ("mqtt", "cloudtrail", "cloudevents")),
        ("sweep", (), ()),
    ]


@pytest.mark.parametrize("source", ["mqtt", "cloudtrail", "schedule", "cloudevents"])
def test_a_plugin_that_listens_to_this_has_a_function_of_its_own(tmp_path, source):
    assert "it" in by_name(load(tmp_path, it=source_of(LISTENS[source])))


@pytest.mark.parametrize("source", ["slack", "alexa"])
def test_a_plugin_that_only_answers_is_in_the_shared_function_alone(tmp_path, source):
    found = by_name(load(tmp_path, it=source_of(LISTENS[source], "STATE = False")))
    assert list(found) == [source]


@pytest.mark.parametrize(
    ("name", "source", "keeps"),
    [
        ("it", source_of(LISTENS["mqtt"]), True),
        ("it", source_of(LISTENS["mqtt"], "STATE = False"), False),
        ("it", source_of(LISTENS["mqtt"], arguments="event"), False),
        ("it", source_of(LISTENS["mqtt"], 'STATE = False\nUSES = ["text"]'), True),
        ("alexa", source_of(LISTENS["alexa"], "STATE = False"), False),
        ("slack", source_of(LISTENS["slack"], "STATE = False"), False),
        ("slack", source_of('@slack.view("v")', "STATE = False"), False),
        ("slack", source_of('@slack.event("app_mention")', "STATE = False"), True),
        ("slack", source_of('@slack.action("button")', "STATE = False"), True),
    ],
)
def test_the_table_is_for_state_for_effects_and_for_replies_that_are_posted(tmp_path, name, source, keeps):
    assert by_name(load(tmp_path, it=source))[name].keeps is keeps


def test_only_what_may_leave_effects_behind_is_swept(tmp_path):
    kept = source_of(LISTENS["mqtt"])
    assert "sweep" not in by_name(load(tmp_path, it=kept))
    assert by_name(load(tmp_path, sends=source_of(LISTENS["mqtt"], 'USES = ["text"]')))["sweep"].effects == {"text"}


def test_people_who_wait_get_more_memory_and_less_patience(everything):
    found = by_name(everything)
    assert (found["doors"].memory, found["doors"].timeout) == (256, 60)
    assert (found["slack"].memory, found["slack"].timeout) == (512, 29)


def test_a_plugin_says_how_much_it_needs(tmp_path):
    plugins = load(
        tmp_path,
        large=source_of(LISTENS["mqtt"] + "\n" + LISTENS["slack"], 'MEMORY = 1024\nTIMEOUT = "2m"'),
        small=source_of(LISTENS["mqtt"], "MEMORY = 128"),
    )
    found = {function.name: (function.memory, function.timeout) for function in functions(plugins)}
    assert found["large"] == found["slack"] == found["queue"] == (1024, 120)
    assert found["small"] == (128, 60)


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("MEMORY = 64", "MEMORY is in MB, 128 to 10240: MEMORY = 512"),
        ('MEMORY = "1 GB"', "MEMORY is in MB, 128 to 10240: MEMORY = 512"),
        ('TIMEOUT = "1h"', 'TIMEOUT is a length of time, 1 to 900 seconds: TIMEOUT = "2m"'),
        ("TIMEOUT = 30", 'TIMEOUT is a length of time, 1 to 900 seconds: TIMEOUT = "2m"'),
        ('TIMEOUT = "soon"', 'TIMEOUT is a length of time, 1 to 900 seconds: TIMEOUT = "2m"'),
    ],
)
def test_what_lambda_does_not_offer_is_refused_with_its_line(tmp_path, declared, said):
    plugins = load(tmp_path, it=source_of(LISTENS["mqtt"], declared))
    with pytest.raises(PluginMistake) as refused:
        functions(plugins)
    assert str(refused.value) == f"{tmp_path / 'it.py'}:3: {said}"


@pytest.mark.parametrize("name", ["slack", "alexa", "queue", "sweep"])
def test_a_plugin_is_not_called_like_one_of_the_platforms_functions(tmp_path, name):
    plugins = load(tmp_path, **{name: source_of(LISTENS["mqtt"])})
    with pytest.raises(PluginMistake, match=f"there is a function '{name}' already: rename the plugin"):
        functions(plugins)


def test_the_longest_name_of_a_plugin_and_of_a_stage_make_a_name_that_lambda_takes(tmp_path):
    check_stage("s" * 16)
    plugins = load(tmp_path, **{"p" * 35: source_of(LISTENS["mqtt"])})
    (function, _) = functions(plugins)
    assert len(f"botplatform-{'s' * 16}-{function.name}") == 64


def test_a_name_that_lambda_does_not_take_is_refused(tmp_path):
    plugins = load(tmp_path, **{"p" * 36: source_of(LISTENS["mqtt"])})
    with pytest.raises(PluginMistake, match="the name is too long for a function on AWS: 35 characters at most"):
        functions(plugins)


@pytest.mark.parametrize("stage", ["", "s" * 17, "my_stage", "stäge", "a b"])
def test_a_stages_name_must_fit_into_the_names_of_its_functions(stage):
    with pytest.raises(Rejected, match="is no name for a stage: letters, digits and -, 16 at most"):
        check_stage(stage)


@pytest.mark.parametrize(
    ("type_", "instead"),
    [("com.slack.event.message", "slack"), ("com.amazonaws.iam.CreateUser", "cloudtrail")],
)
def test_what_another_source_brings_never_comes_as_a_cloudevent(tmp_path, type_, instead):
    plugins = load(tmp_path, it=source_of(f'@cloudevents.event("{type_}")'))
    with pytest.raises(
        PluginMistake, match=f"on AWS {type_} does not come as a CloudEvent: listen to it with {instead}"
    ):
        functions(plugins)


BRINGS = """
    '''Brings a source and an effect.'''
    from botplatform import hookimpl
    from botplatform.effect import Effect
    from botplatform.subscription import Subscription, subscribe


    @hookimpl
    def effects(settings):
        return [Effect("fax", lambda arguments, key: {}, "a fax")]
"""


def test_a_function_knows_which_plugins_bring_its_effects(tmp_path):
    found = by_name(load(tmp_path, brings=BRINGS, it=source_of(LISTENS["mqtt"], 'USES = ["fax", "text"]')))
    assert found["it"].hooks == found["sweep"].hooks == ("brings",)


def test_a_source_that_aws_cannot_listen_to_is_refused(tmp_path):
    source = """
        '''Hears a source of its own.'''
        from botplatform.subscription import Subscription, subscribe


        @subscribe(Subscription("carrier-pigeon", "pigeons", {"type": ["a.pigeon"]}))
        def handle(event): ...
    """
    plugins = load(tmp_path, it=source)
    with pytest.raises(PluginMistake, match=r"it.py:5: AWS has no trigger for the source 'carrier-pigeon'"):
        functions(plugins)
