"""The plan, from two templates."""

from __future__ import annotations

from typing import Any

from botplatform.deploy.plan import Change, changes


def function(**properties: Any) -> dict[str, Any]:
    about = {"FunctionName": "botplatform-dev-too_hot", "Code": {"S3Key": "2026-01-05T12:00:00/too_hot.zip"}}
    return {"Type": "AWS::Lambda::Function", "Properties": {**about, **properties}}


def role(*statements: dict[str, Any]) -> dict[str, Any]:
    policy = {"PolicyName": "it", "PolicyDocument": {"Statement": list(statements)}}
    return {"Type": "AWS::IAM::Role", "Properties": {"Policies": [policy]}}


def template(**resources: Any) -> dict[str, Any]:
    return {"Resources": resources}


SEND = {"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}
READ = {
    "Effect": "Allow",
    "Action": ["dynamodb:Query", "dynamodb:GetItem"],
    "Resource": [{"Fn::Sub": "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/it"}],
    "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["state#too_hot", "state#front"]}},
}


def test_all_is_new_where_nothing_is_deployed():
    new = template(Queue={"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}}, F=function(MemorySize=256))
    assert [(change.sign, change.kind, change.name) for change in changes({}, new)] == [
        ("+", "functions", "botplatform-dev-too_hot"),
        ("+", "resources", "Queue"),
    ]


def test_what_stays_the_same_is_no_change_wherever_its_code_was_put():
    again = function()
    again["Properties"]["Code"] = {"S3Key": "2026-01-06T12:00:00/too_hot.zip"}
    assert changes(template(F=function()), template(F=again)) == []


def test_code_that_changed_is_a_change_though_the_template_does_not_show_it():
    same = template(F=function())
    [change] = changes(same, same, frozenset(["botplatform-dev-too_hot"]))
    assert (change.sign, change.facts) == ("~", ("+ code",))


def test_a_change_tells_what_was_and_what_will_be():
    [change] = changes(template(F=function(MemorySize=128)), template(F=function(MemorySize=256)))
    assert change == Change(
        "~", "functions", "AWS::Lambda::Function", "botplatform-dev-too_hot", ("- MemorySize: 128", "+ MemorySize: 256")
    )


def test_what_is_gone_is_removed():
    rule = {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": "rate(1 day)"}}
    [change] = changes(template(Daily_=rule), {})
    assert (change.sign, change.kind, change.telling) == ("-", "triggers", ["- ScheduleExpression: rate(1 day)"])


def test_a_permission_is_one_line_whatever_order_it_is_written_in():
    other = {**READ, "Action": READ["Action"][::-1]}
    assert changes(template(Role=role(SEND, READ)), template(Role=role(other, SEND))) == []
    [change] = changes(template(Role=role(SEND)), template(Role=role(SEND, READ)))
    assert (change.kind, change.telling) == (
        "permissions",
        [
            "+ may dynamodb:GetItem, dynamodb:Query on dynamodb table/it "
            "if dynamodb:LeadingKeys (ForAllValues:StringEquals) state#front, state#too_hot"
        ],
    )


def test_a_permission_on_all_but_some_says_so():
    text = {"Effect": "Allow", "Action": "sns:Publish", "NotResource": "arn:aws:sns:*:*:*"}
    [change] = changes({}, template(Role=role(text)))
    assert change.telling == ["+ may sns:Publish on all but arn:aws:sns:*:*:*"]


def test_a_permission_that_goes_is_told():
    [change] = changes(template(Role=role(SEND, READ)), template(Role=role(READ)))
    assert change.telling == ["- may sqs:SendMessage on ${DeadLetters.Arn}"]


def test_names_are_spelt_as_authors_do():
    [change] = changes({}, template(Too_hotRole=role(SEND), **{}))
    assert change.name == "Too_hotRole"
    [change] = changes({}, template(TooUnderscorehotRole=role(SEND)))
    assert change.name == "Too_hotRole"
