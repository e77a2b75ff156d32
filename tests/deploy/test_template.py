"""serverless.yml holds all that the functions need, in one piece, and nothing of anybody's."""

from __future__ import annotations

import re

import pytest

from botplatform.deploy.functions import functions
from botplatform.deploy.template import render
from botplatform.plugins import Plugins
from tests.deploy.templates import EVERYTHING, parsed, rendered, resources, walk
from tests.deploy.test_functions import LISTENS, source_of
from tests.plugin_files import load, write

# What the Serverless Framework makes and names itself.
FRAMEWORKS_OWN = {"HttpApi"}


def names_meant(template):
    """Every logical id that something in the template refers to."""
    for value in walk(template):
        if isinstance(value, dict) and "Ref" in value:
            yield value["Ref"]
        elif isinstance(value, dict) and "Fn::GetAtt" in value:
            yield value["Fn::GetAtt"][0]
        elif isinstance(value, dict) and "Fn::Sub" in value:
            yield from re.findall(r"\$\{(\w+)(?:\.\w+)?\}", value["Fn::Sub"])


def made_by_the_framework(template):
    """The logical ids of functions: Serverless Framework Guide, "AWS CloudFormation Resource Reference"."""
    for name in template["functions"]:
        yield f"{name[0].upper()}{name[1:]}".replace("_", "Underscore") + "LambdaFunction"


def test_everything_that_is_referred_to_is_there(template):
    known = {*resources(template), *template["resources"]["Parameters"], *made_by_the_framework(template)}
    assert set(names_meant(template)) <= known | FRAMEWORKS_OWN


@pytest.mark.parametrize("source", LISTENS)
@pytest.mark.parametrize("declared", ["STATE = False", "", 'USES = ["emit"]'])
def test_so_it_is_with_any_one_plugin(tmp_path, source, declared):
    template = rendered(load(tmp_path, on_its_own=source_of(LISTENS[source], declared)))
    known = {*resources(template), *template["resources"]["Parameters"], *made_by_the_framework(template)}
    assert set(names_meant(template)) <= known | FRAMEWORKS_OWN


def test_the_order_in_which_plugins_are_found_changes_nothing(tmp_path):
    folders = [write(tmp_path / name, **{name: source}) for name, source in EVERYTHING.items()]
    assert render(Plugins(folders)) == render(Plugins(reversed(folders)))


def test_a_function_knows_from_its_environment_what_it_is(template):
    environment = template["functions"]["watch"]["environment"]
    assert environment == {
        "BOTPLATFORM_LOAD": "watch",
        "BOTPLATFORM_SOURCES": "cloudtrail,schedule,cloudevents",
        "BOTPLATFORM_TABLE": {"Ref": "Table"},
        "BOTPLATFORM_DEAD_LETTERS": {"Ref": "DeadLetters"},
        "BOTPLATFORM_EFFECTS": "emit,text",
        "BOTPLATFORM_BUS": {"Ref": "Bus"},
        "BOTPLATFORM_CHAIN_LIMIT": "${param:BOTPLATFORM_CHAIN_LIMIT}",
        "BOTPLATFORM_RECIPIENTS": "${param:BOTPLATFORM_RECIPIENTS}",
    }


def test_a_function_that_keeps_nothing_knows_of_no_table_and_no_queue(template):
    lamp = template["functions"]["lamp"]
    assert lamp["environment"] == {"BOTPLATFORM_LOAD": "lamp", "BOTPLATFORM_SOURCES": "mqtt"}
    assert "destinations" not in lamp


def test_plugins_that_bring_effects_are_named_by_their_module(tmp_path):
    brings = """
        '''Brings an effect.'''
        from botplatform import hookimpl
        from botplatform.effect import Effect


        @hookimpl
        def effects():
            return [Effect("fax", lambda arguments, key: {}, "a fax")]
    """
    template = rendered(load(tmp_path, brings=brings, it=source_of(LISTENS["mqtt"], 'USES = ["fax"]')))
    assert template["functions"]["it"]["environment"]["BOTPLATFORM_HOOKS"] == "botplatform_plugins.brings"


def test_every_function_has_its_own_role_and_its_own_bundle(template):
    roles = [function["role"] for function in template["functions"].values()]
    assert len(set(roles)) == len(roles)
    assert set(roles) <= set(resources(template, "IAM::Role"))
    for name, function in template["functions"].items():
        assert function["package"] == {"artifact": f".botplatform/bundles/{name}.zip"}


def test_what_fails_after_all_tries_becomes_a_dead_letter(everything, template):
    for function in functions(everything):
        if function.keeps:
            on_failure = template["functions"][function.name]["destinations"]["onFailure"]
            assert on_failure == {"type": "sqs", "arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}


def test_the_table_can_be_restored_is_encrypted_forgets_and_stays(template):
    table = template["resources"]["Resources"]["Table"]
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["Properties"]["SSESpecification"] == {"SSEEnabled": True}
    assert table["Properties"]["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}


def test_queues_are_encrypted_and_keep_dead_letters_for_two_weeks(template):
    for queue in resources(template, "SQS::Queue").values():
        assert queue["SqsManagedSseEnabled"] is True
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 60 * 60


def test_a_message_stays_hidden_for_longer_than_its_function_may_run(template):
    (queue,) = [queue for queue in resources(template, "SQS::Queue").values() if "VisibilityTimeout" in queue]
    assert queue["VisibilityTimeout"] == 6 * template["functions"]["queue"]["timeout"]


def test_there_are_alarms_on_dead_letters_and_on_every_function(template):
    alarms = list(resources(template, "CloudWatch::Alarm").values())
    assert all(alarm["AlarmActions"] == [{"Ref": "Alarms"}] for alarm in alarms)
    watched = {(a["MetricName"], str(a["Dimensions"][0]["Value"].get("Ref"))) for a in alarms}
    for function in made_by_the_framework(template):
        assert {("Errors", function), ("Throttles", function)} <= watched
    assert {("Duration", "SlackLambdaFunction"), ("Duration", "AlexaLambdaFunction")} <= watched
    assert "ApproximateNumberOfMessagesVisible" in {metric for metric, _ in watched}


def test_stages_share_no_name(template):
    named = ("Name", "QueueName", "TopicName", "TableName")
    for kind in ("Events::EventBus", "SQS::Queue", "SNS::Topic", "Scheduler::ScheduleGroup", "DynamoDB::Table"):
        for properties in resources(template, kind).values():
            assert all("${sls:stage}" in properties[name] for name in named if name in properties)


def test_tools_find_what_they_need_in_the_outputs(template):
    outputs = template["resources"]["Outputs"]
    assert set(outputs) == {"SlackUrl", "AlexaArn", "TableName", "BusName", "QueueUrl", "DeadLettersUrl"}


def test_logs_are_not_kept_for_ever(template):
    assert template["provider"]["logRetentionInDays"] == "${param:log-days}"
    assert template["params"]["default"]["log-days"] == 30


def test_a_docstring_longer_than_a_description_is_cut(tmp_path):
    source = source_of(LISTENS["mqtt"]).replace("'''It.'''", f"'''{'It does. ' * 40}'''")
    (description,) = {
        function["description"]
        for name, function in rendered(load(tmp_path, it=source))["functions"].items()
        if name == "it"
    }
    assert len(description) == 256


def test_the_file_says_how_it_is_made(everything):
    assert render(everything).startswith("# Made by `botplatform deploy render` ")
    assert parsed(render(everything))["service"] == "botplatform"
