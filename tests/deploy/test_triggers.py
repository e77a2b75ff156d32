"""Whatever a handler listens to calls its function on AWS, and what cannot be delivered becomes a dead letter."""

from __future__ import annotations

import json

import pytest

from botplatform.deploy.functions import functions
from botplatform.deploy.triggers import framework_events, resources
from botplatform.errors import PluginMistake
from botplatform.event import Event
from botplatform.hosts.aws_lambda.calls import Sweep, recognize
from botplatform.patterns.parse import compile
from botplatform.source import Raw
from botplatform.sources import cloudtrail
from tests.deploy import templates
from tests.deploy.test_functions import LISTENS, source_of
from tests.plugin_files import load

DEAD_LETTERS = {"Fn::GetAtt": ["DeadLetters", "Arn"]}


def triggers(plugins):
    return resources(functions(plugins))


def rules(template, bus):
    found = templates.resources(template, "Events::Rule").values()
    return [rule for rule in found if ("EventBusName" in rule) is bus]


def matches(rule, event):
    return compile(rule["EventPattern"]).matches(event)


def test_slack_posts_to_one_route_and_alexa_calls_as_the_skill(everything):
    events = {function.name: framework_events(function) for function in functions(everything)}
    assert events["slack"] == [{"httpApi": "POST /slack"}]
    assert events["alexa"] == [{"alexaSkill": {"appId": "${param:ALEXA_SKILL_ID}"}}]


def test_the_queue_takes_back_only_the_messages_that_failed(template):
    (event,) = template["functions"]["queue"]["events"]
    assert event["sqs"]["arn"] == {"Fn::GetAtt": ["Queue", "Arn"]}
    assert event["sqs"]["functionResponseType"] == "ReportBatchItemFailures"


def test_there_is_one_rule_for_a_topic_with_an_action_for_each_function_that_listens(template):
    called = {}
    for rule in templates.resources(template, "IoT::TopicRule").values():
        payload = rule["TopicRulePayload"]
        assert payload["AwsIotSqlVersion"] == "2016-03-23"
        actions = [action["Lambda"]["FunctionArn"]["Fn::GetAtt"][0] for action in payload["Actions"]]
        called[payload["Sql"].rpartition(" FROM ")[2]] = actions
    assert called == {
        "'alarms/#'": ["DoorsLambdaFunction"],
        "'lamps/+/state'": ["LampLambdaFunction"],
        "'locks/+/state'": ["DigestLambdaFunction", "DoorsLambdaFunction"],
    }


def test_a_topic_rule_says_all_that_the_source_reads(template):
    (sql, *_) = [rule["TopicRulePayload"]["Sql"] for rule in templates.resources(template, "IoT::TopicRule").values()]
    for name in ("payload_base64", "topic", "id", "timestamp", "filter"):
        assert f" AS {name}" in sql


def test_more_functions_than_a_topic_rule_can_call_take_two_rules(tmp_path):
    plugins = {f"p{number:02}": source_of(LISTENS["mqtt"]) for number in range(11)}
    found = triggers(load(tmp_path, **plugins))
    sizes = [len(found[name]["Properties"]["TopicRulePayload"]["Actions"]) for name in ("Topic1", "Topic2")]
    assert sizes == [10, 1]


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        ("a/" * 8 + "b", "AWS IoT takes topics of 256 bytes and 7 slashes at most"),
        ("ä" * 129, "AWS IoT takes topics of 256 bytes and 7 slashes at most"),
        ("it's", "AWS IoT takes no ' in the topic of a rule"),
        ("$SYS/uptime", "AWS IoT knows no topics that begin with $ but its own, $aws/…"),
    ],
)
def test_a_topic_that_aws_cannot_take_is_refused_with_its_line(tmp_path, topic, said):
    plugins = load(tmp_path, it=source_of(f'@mqtt.topic("{topic}")'))
    with pytest.raises(PluginMistake) as refused:
        triggers(plugins)
    assert str(refused.value) == f"{tmp_path / 'it.py'}:5: {said}"


@pytest.mark.parametrize("topic", ["a/" * 7 + "b", "$aws/things/{thing}/shadow/update/accepted", "a/{rest...}"])
def test_a_topic_that_aws_can_take_is_taken(tmp_path, topic):
    plugins = load(tmp_path, it=source_of(f'@mqtt.topic("{topic}")'))
    assert "Topic1" in triggers(plugins)


RECORD = {"eventID": "1", "eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin"}


@pytest.mark.parametrize("used", ["Yes", "No"])
def test_a_cloudtrail_rule_lets_through_what_the_handler_would_hear_of(template, everything, used):
    record = {**RECORD, "additionalEventData": {"MFAUsed": used}}
    event = {"source": "aws.signin", "detail-type": "AWS Console Sign In via CloudTrail", "detail": record}
    ours = next(cloudtrail.normalize(Raw(json.dumps(event).encode())))
    assert isinstance(ours, Event)
    (warn,) = [h for h in everything.handlers if h.name == "watch.warn"]
    heard = [compile(subscription.pattern).matches(ours.to_dict()) for subscription in warn.subscriptions]
    assert sorted(matches(rule, event) for rule in rules(template, bus=False)) == sorted(heard)


@pytest.mark.parametrize(
    ("source", "kind"),
    [("aws.ec2", "EC2 State Change"), ("com.example.forged", "AWS Console Sign In via CloudTrail")],
)
def test_a_cloudtrail_rule_hears_only_of_cloudtrail_and_only_from_aws(template, source, kind):
    event = {"source": source, "detail-type": kind, "detail": RECORD}
    assert not any(matches(rule, event) for rule in rules(template, False))


def test_calls_that_only_read_are_heard_of_too(template):
    states = {rule["State"] for rule in rules(template, bus=False)}
    assert states == {"ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"}


@pytest.mark.parametrize(("price", "heard"), [(11, True), (10, False)])
def test_a_cloudevent_on_the_stages_bus_is_matched_as_it_is_here(template, price, heard):
    event = Event(id="1", source="/shop", type="com.example.sold", data={"price": price})
    (rule,) = rules(template, bus=True)
    assert rule["EventBusName"] == {"Ref": "Bus"}
    assert matches(rule, {"source": "/shop", "detail-type": event.type, "detail": event.to_dict()}) is heard


def test_a_pattern_longer_than_eventbridge_takes_is_refused_with_its_line(tmp_path):
    names = json.dumps([f"EventNumber{number}" for number in range(300)])
    plugins = load(tmp_path, it=source_of(f'@cloudtrail.event({{"eventName": {names}}}, name="many")'))
    with pytest.raises(PluginMistake, match=r"it.py:5: the pattern is longer than the 4096 characters"):
        triggers(plugins)


def test_the_longest_name_of_a_plugin_fits_wherever_it_goes(tmp_path):
    plugins = load(tmp_path, **{"p_" * 17 + "p": source_of(LISTENS["cloudtrail"])})
    template = templates.rendered(plugins)
    (rule,) = rules(template, bus=False)
    assert len(rule["Targets"][0]["Id"]) <= 64
    assert max(map(len, templates.resources(template))) <= 255


def test_a_schedule_keeps_its_time_zone_and_names_its_tick(template):
    (schedule,) = [s for s in templates.resources(template, "Scheduler::Schedule").values() if "report" in s["Name"]]
    assert schedule["ScheduleExpression"] == "cron(0 7 ? * MON-FRI *)"
    assert schedule["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    tick = json.loads(schedule["Target"]["Input"])
    assert tick == {"schedule": "watch.report", "time": "<aws.scheduler.scheduled-time>"}


def test_the_sweep_runs_by_the_clock_and_is_recognized(template):
    (schedule,) = [s for s in templates.resources(template, "Scheduler::Schedule").values() if s["Name"] == "sweep"]
    assert schedule["ScheduleExpression"] == "rate(5 minutes)"
    assert recognize(json.loads(schedule["Target"]["Input"])) == Sweep()


def test_a_schedules_name_that_aws_does_not_take_is_refused_with_its_line(tmp_path):
    source = source_of(LISTENS["schedule"]).replace("handle", "h" * 62)
    plugins = load(tmp_path, it=source)
    with pytest.raises(PluginMistake, match=r"it.py:5: the name it.h+ is too long for a schedule on AWS: 64 "):
        triggers(plugins)


def test_whatever_cannot_be_delivered_becomes_a_dead_letter(template):
    for rule in templates.resources(template, "Events::Rule").values():
        assert [target["DeadLetterConfig"]["Arn"] for target in rule["Targets"]] == [DEAD_LETTERS]
    for schedule in templates.resources(template, "Scheduler::Schedule").values():
        assert schedule["Target"]["DeadLetterConfig"]["Arn"] == DEAD_LETTERS
    for rule in templates.resources(template, "IoT::TopicRule").values():
        assert rule["TopicRulePayload"]["ErrorAction"]["Sqs"]["QueueUrl"] == {"Ref": "DeadLetters"}
    (queue,) = [q for q in templates.resources(template, "SQS::Queue").values() if "RedrivePolicy" in q]
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == DEAD_LETTERS


def test_eventbridge_may_put_dead_letters_of_each_of_our_rules_and_of_no_others(template):
    (policy,) = templates.resources(template, "SQS::QueuePolicy").values()
    (statement,) = policy["PolicyDocument"]["Statement"]
    sources = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert [source["Fn::GetAtt"][0] for source in sources] == list(templates.resources(template, "Events::Rule"))


def test_each_rule_may_call_just_the_functions_it_targets(template):
    targets = set()
    for name, rule in templates.resources(template, "Events::Rule").items():
        targets |= {(name, target["Arn"]["Fn::GetAtt"][0]) for target in rule["Targets"]}
    for name, rule in templates.resources(template, "IoT::TopicRule").items():
        actions = rule["TopicRulePayload"]["Actions"]
        targets |= {(name, action["Lambda"]["FunctionArn"]["Fn::GetAtt"][0]) for action in actions}
    may = templates.resources(template, "Lambda::Permission").values()
    allowed = [(p["SourceArn"]["Fn::GetAtt"][0], p["FunctionName"]["Fn::GetAtt"][0]) for p in may]
    assert sorted(allowed) == sorted(targets)


def test_the_clock_may_call_just_the_functions_with_a_schedule(template):
    role = templates.resources(template)["SchedulesRole"]
    call, keep = role["Policies"][0]["PolicyDocument"]["Statement"]
    schedules = templates.resources(template, "Scheduler::Schedule").values()
    called = {schedule["Target"]["Arn"]["Fn::GetAtt"][0] for schedule in schedules}
    assert {resource["Fn::GetAtt"][0] for resource in call["Resource"]} == called
    assert keep["Resource"] == [DEAD_LETTERS]


def test_what_looks_like_a_variable_in_a_plugin_is_none(tmp_path):
    record = '{"requestParameters": {"name": ["${env:HOME}"]}}'
    (rule,) = rules(templates.rendered(load(tmp_path, it=source_of(f"@cloudtrail.event({record})"))), bus=False)
    assert rule["EventPattern"]["detail"]["requestParameters"]["name"] == ["\\${env:HOME}"]
