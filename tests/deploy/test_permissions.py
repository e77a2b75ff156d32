"""A function may do what its plugins declare, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatch

import pytest

from botplatform.deploy.functions import functions
from botplatform.deploy.permissions import permissions, shown, statements
from botplatform.event import Event
from botplatform.hosts.aws_lambda.environment import Environment
from botplatform.source import EffectRequest
from botplatform.store import Commit, Outcome, PendingEffect, StateKey, Work, Write
from botplatform.stores.dynamodb import DynamoStore
from botplatform.work import last_said
from tests.deploy.templates import resources, walk
from tests.deploy.test_functions import LISTENS, source_of
from tests.plugin_files import load

LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}


def function_of(plugins, name):
    return next(function for function in functions(plugins) if function.name == name)


def allowed(plugins, name):
    """What a function may do: each action with the statement that allows it."""
    found = statements(function_of(plugins, name))
    return {action: statement for statement in found for action in statement["Action"]}


@pytest.mark.parametrize("source", [source for source in LISTENS if source != "slack"])
@pytest.mark.parametrize("nothing", [("STATE = False", "event, ctx"), ("", "event")])
def test_a_plugin_with_no_state_and_no_effects_can_only_write_its_log(tmp_path, source, nothing):
    declared, arguments = nothing
    plugins = load(tmp_path, it=source_of(LISTENS[source], declared, arguments))
    (statement,) = statements(function_of(plugins, "alexa" if source == "alexa" else "it"))
    assert set(statement["Action"]) == LOGS
    (group,) = statement["Resource"]
    assert group["Fn::Sub"].endswith(f"-{'alexa' if source == 'alexa' else 'it'}:*")


def test_a_slack_command_without_state_reads_its_secrets_and_calls_itself_besides(tmp_path):
    found = allowed(load(tmp_path, it=source_of(LISTENS["slack"], "STATE = False")), "slack")
    assert found.keys() - LOGS == {"${self:custom.secrets.${param:secrets}.action}", "lambda:InvokeFunction"}


def leading_keys(statement):
    return statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]


def test_state_is_open_to_its_own_plugin_alone(everything):
    assert leading_keys(allowed(everything, "doors")["dynamodb:PutItem"]) == ["state#doors", "done#*"]
    assert leading_keys(allowed(everything, "doors")["dynamodb:Query"]) == ["state#doors"]


def test_a_plugin_that_texts_may_remember_what_it_said_last_even_if_it_keeps_no_state(tmp_path):
    plugins = load(tmp_path, it=source_of(LISTENS["mqtt"], 'STATE = False\nUSES = ["text"]'))
    found = allowed(plugins, "it")
    assert leading_keys(found["dynamodb:PutItem"]) == ["state#it.once_per", "done#*"]
    assert "dynamodb:Query" not in found


def test_a_shared_function_reaches_the_state_of_those_it_holds_and_that_keep_any(everything):
    found = leading_keys(allowed(everything, "queue")["dynamodb:Query"])
    assert found == ["state#digest", "state#doors", "state#watch"]


def test_a_function_without_state_reaches_the_markers_alone(tmp_path):
    plugins = load(tmp_path, it=source_of(LISTENS["mqtt"], 'STATE = False\nUSES = ["emit"]'))
    found = allowed(plugins, "it")
    assert {action for action in found if "dynamodb" in action} == {"dynamodb:GetItem", "dynamodb:PutItem"}
    assert leading_keys(found["dynamodb:PutItem"]) == ["done#*"]


@dataclass
class Recorder:
    """DynamoDB with nothing in it, which writes down the actions it would check, each with the partition key."""

    checked: list[tuple[str, str]] = field(default_factory=list)

    def get_item(self, **request):
        return self._check("GetItem", request["Key"]["pk"]["S"])

    def put_item(self, **request):
        return self._check("PutItem", request["Item"]["pk"]["S"])

    def query(self, **request):
        return self._check("Query", request.get("IndexName") or request["ExpressionAttributeValues"][":pk"]["S"])

    def transact_write_items(self, **request):
        for (kind, inner), *_ in (item.items() for item in request["TransactItems"]):
            action = "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item"
            self._check(action, inner.get("Key", inner.get("Item"))["pk"]["S"])

    def _check(self, action, key):
        self.checked.append((f"dynamodb:{action}", key))
        return {"Items": []}


def may(statement, action, key):
    """Whether IAM would let an action on an item pass."""
    index = any("index/pending" in str(resource) for resource in statement["Resource"])
    if action not in statement["Action"] or index != (key == "pending"):
        return False
    return index or any(fnmatch(key, pattern) for pattern in leading_keys(statement))


def everything_a_store_does(plugin, handler):
    """All the actions on the table that the work of one plugin takes."""
    recorder = Recorder()
    store = DynamoStore("table", recorder, lambda: 0.0)
    one, other, third = (StateKey(plugin, key) for key in ("one", "other", "third"))
    work, event = Work("/somewhere", "1", handler), Event(id="1", source="/somewhere", type="a")
    store.outcome(work)
    store.read(one)
    list(store.scan(plugin, ""))
    writes = {one: Write("put", b"1"), other: Write("add", b"1", initial=b"0"), third: Write("delete")}
    reads = {one: 0, StateKey(plugin, "fourth"): 0}
    reads[StateKey(last_said(plugin), "owner")] = 0
    writes[StateKey(last_said(plugin), "owner")] = Write("put", b"{}")
    store.commit(Commit(work, event, Outcome(), reads, writes, [EffectRequest("text", {})]))
    store.performed(PendingEffect(1, work, EffectRequest("text", {}), "key"), {})
    store.pending()
    return recorder.checked


def test_what_the_store_does_is_what_its_function_may_do(everything):
    found = statements(function_of(everything, "watch")) + statements(function_of(everything, "sweep"))
    table = [statement for statement in found if "dynamodb" in statement["Action"][0]]
    done = everything_a_store_does("watch", "watch.warn")
    assert {"dynamodb:PutItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem"} <= {action for action, _ in done}
    assert [act for act in done if not any(may(statement, *act) for statement in table)] == []


def test_the_state_of_another_plugin_is_out_of_reach(everything):
    table = [s for s in statements(function_of(everything, "watch")) if "dynamodb" in s["Action"][0]]
    others = [act for act in everything_a_store_does("doors", "doors.lock") if "state#" in act[1]]
    assert others
    assert not [act for act in others if any(may(statement, *act) for statement in table)]


@pytest.mark.parametrize(
    ("effect", "actions", "resource"),
    [
        ("emit", {"events:PutEvents"}, "${Bus.Arn}"),
        ("publish", {"iot:Publish", "iot:RetainPublish"}, "topic/*"),
        ("slack", {"${self:custom.secrets.${param:secrets}.action}"}, "/SLACK_BOT_TOKEN"),
        ("text", {"sns:Publish"}, "sns:*:*:*"),
    ],
)
def test_an_effect_is_allowed_where_it_is_declared_and_nowhere_else(tmp_path, effect, actions, resource):
    plugins = load(
        tmp_path,
        it=source_of(LISTENS["mqtt"], f'USES = ["{effect}"]'),
        other=source_of(LISTENS["mqtt"]),
    )
    it, other = (permissions(function_of(plugins, name)) for name in ("it", "other"))
    (granted,) = [permission for permission in it if actions & set(permission.actions)]
    assert set(granted.actions) == actions
    assert resource in granted.resources[0]
    assert not [permission for permission in other if actions & set(permission.actions)]


def test_texts_go_to_phone_numbers_and_to_nothing_that_has_an_arn(everything):
    statement = allowed(everything, "watch")["sns:Publish"]
    assert "Resource" not in statement
    assert statement["NotResource"] == [{"Fn::Sub": "arn:${AWS::Partition}:sns:*:*:*"}]


def test_no_statement_is_for_everything(template):
    for role in resources(template, "IAM::Role").values():
        for statement in (s for policy in role["Policies"] for s in policy["PolicyDocument"]["Statement"]):
            assert all(action.count(":") == 1 or "param" in action for action in statement["Action"])
            assert not any("*" in action for action in statement["Action"])
            assert "*" not in statement.get("Resource", [])


def test_only_the_sweep_looks_for_what_is_pending(everything):
    index = "${Table.Arn}/index/pending"
    looking = [f.name for f in functions(everything) if any(index in p.resources for p in permissions(f))]
    assert looking == ["sweep"]


def test_every_role_of_a_function_is_what_its_plugins_declare(everything, template):
    declared = {f"What the function {f.name} may do.": len(statements(f)) for f in functions(everything)}
    roles = resources(template, "IAM::Role").values()
    found = {r["Description"]: len(r["Policies"][0]["PolicyDocument"]["Statement"]) for r in roles}
    assert {about: found.get(about) for about in declared} == declared
    assert not any("ManagedPolicyArns" in role for role in roles)


def test_a_function_is_told_of_the_secrets_it_may_read_and_of_no_others(everything, template):
    for function in functions(everything):
        environment = template["functions"][function.name]["environment"]
        places = environment.get("BOTPLATFORM_SECRETS", "").replace("${param:secrets}", "ssm")
        told = set(Environment({"BOTPLATFORM_SECRETS": places})) - {"BOTPLATFORM_SECRETS"}
        readable = {arn for p in permissions(function) for arn in p.resources if "custom.secrets" in arn}
        assert {arn.split("}/")[1].split("${")[0] for arn in readable} == told == set(function.secrets)


def test_people_read_what_each_function_may_do(tmp_path):
    source = source_of(LISTENS["mqtt"] + "\n" + LISTENS["slack"], 'STATE = False\nUSES = ["text"]')
    text = shown([function_of(load(tmp_path, it=source), "slack")])
    assert text == "\n".join(
        [
            "slack (with it) may",
            "  write its own log",
            "      logs:CreateLogStream, logs:PutLogEvents on "
            "arn:aws:logs:REGION:ACCOUNT:log-group:/aws/lambda/botplatform-STAGE-slack:*",
            "  read and change when which text was sent, and remember which events are done",
            "      dynamodb:GetItem, dynamodb:PutItem, dynamodb:DeleteItem, dynamodb:ConditionCheckItem on Table",
            "      only where dynamodb:LeadingKeys is state#it.once_per, done#*",
            "  send texts, for it",
            "      sns:Publish on all but arn:aws:sns:*:*:*",
            "  read SLACK_SIGNING_SECRET, SLACK_BOT_TOKEN",
            "      ssm:GetParameter or secretsmanager:GetSecretValue on "
            "/botplatform/STAGE/SLACK_SIGNING_SECRET, /botplatform/STAGE/SLACK_BOT_TOKEN",
            "  go on after it answered, by calling itself",
            "      lambda:InvokeFunction on arn:aws:lambda:REGION:ACCOUNT:function:botplatform-STAGE-slack",
            "  keep what failed as dead letters",
            "      sqs:SendMessage on DeadLetters",
        ]
    )


def test_what_people_read_has_no_variables_left(everything):
    assert "$" not in shown(functions(everything))
    assert all("$" in str(statement) for f in functions(everything) for statement in walk(statements(f)[0]["Resource"]))
