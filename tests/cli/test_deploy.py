"""`botplatform deploy`, with an osls that only notes what it is told, and an AWS on this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from itertools import count
from pathlib import Path

import pytest
from click.testing import Result

from botplatform.deploy import packages
from tests.cli.conftest import Run
from tests.deploy.cloud import Cloud, Function, Stack
from tests.hosts.local.process import PYTHON
from tests.mosquitto import eventually
from tests.plugin_files import write

DAILY = '''
    """Counts the days."""

    from botplatform import Context, schedule


    @schedule.on("rate(1 day)")
    def count(ctx: Context) -> None:
        ctx.state.add("days")
'''
ASKING = '''
    """Says hello."""

    from botplatform import slack


    @slack.command("/hello")
    def answer() -> str:
        return "Hello."
'''
# Packages to a template with the functions there are bundles for; what else it is told is in osls.log.
OSLS = f"""#!{sys.executable}
import json, os, pathlib, sys
arguments = sys.argv[1:]
with open("osls.log", "a") as log:
    log.write(json.dumps(arguments) + "\\n")
if arguments[0] == "package":
    to = pathlib.Path(arguments[arguments.index("--package") + 1])
    to.mkdir(exist_ok=True)
    stage = arguments[arguments.index("--stage") + 1]
    names = [path.stem for path in pathlib.Path(".botplatform/bundles").glob("*.zip")]
    template = {{"Resources": {{
        f"{{name}}LambdaFunction": {{"Type": "AWS::Lambda::Function",
            "Properties": {{"FunctionName": f"botplatform-{{stage}}-{{name}}"}}}} for name in names}}}}
    (to / "cloudformation-template-update-stack.json").write_text(json.dumps(template))
else:
    print("osls says hello", flush=True)
    if pathlib.Path("slow").exists():
        import signal
        signal.signal(signal.SIGINT, lambda *_: None)
        pathlib.Path("waiting").touch()
        signal.pause()
        print("osls ended in its own way", flush=True)
        sys.exit(7)
    sys.exit(int(os.environ.get("OSLS_STATUS", "0")))
"""
QUIET = subprocess.DEVNULL
_stages = map("t{}".format, count())

Deploy = Callable[..., Result]


@dataclass
class Project:
    """A folder with plugins and osls, and its stage."""

    folder: Path
    cloud: Cloud
    stage: str

    @property
    def settings(self) -> dict[str, str]:
        return {**self.cloud.settings, "PATH": os.environ["PATH"]}

    @property
    def told(self) -> list[list[str]]:
        """What osls was told."""
        log = self.folder / "osls.log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def be_deployed(self, **outputs: str) -> None:
        """Have what is bundled deployed."""
        template = json.loads(
            (self.folder / ".botplatform/package/cloudformation-template-update-stack.json").read_text()
        )
        functions = {
            f"botplatform-{self.stage}-{path.stem}": Function(
                {"BOTPLATFORM_SOURCES": "schedule"},
                base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode(),
            )
            for path in (self.folder / ".botplatform/bundles").glob("*.zip")
        }
        self.cloud.stacks[f"botplatform-{self.stage}"] = Stack(template, outputs, functions)


@pytest.fixture
def project(tmp_path: Path, cloud: Cloud) -> Project:
    write(tmp_path / "plugins", daily=DAILY)
    osls = tmp_path / "node_modules/.bin/osls"
    osls.parent.mkdir(parents=True)
    osls.write_text(OSLS)
    osls.chmod(0o755)
    # Empty packages, as if they were fetched before: these tests need no index.
    target = packages.target("arm64")
    for name in ("msgspec", "slack-sdk"):
        package = f"{name}-{metadata.version(name)}-{target.runtime}-{target.architecture}"
        (tmp_path / ".botplatform" / "packages" / package).mkdir(parents=True)
    return Project(tmp_path, cloud, next(_stages))


@pytest.fixture
def deploy(cli: Run, project: Project) -> Deploy:
    def deploy(*arguments: str, stdin: bytes = b"", **settings: str) -> Result:
        return cli("deploy", "--stage", project.stage, *arguments, stdin=stdin, **{**project.settings, **settings})

    return deploy


def test_a_dry_run_shows_what_would_be_new_and_deploys_nothing(deploy: Deploy, project: Project) -> None:
    result = deploy("--dry-run")
    assert result.stdout.splitlines()[:2] == ["functions", f"  + botplatform-{project.stage}-daily"]
    assert result.stdout.splitlines()[-1] == "1 to add, 0 to change, 0 to remove"
    assert (result.exit_code, [command for command, *_ in project.told]) == (0, ["package"])
    assert (project.folder / "serverless.yml").read_text().count("rate(1 day)") == 1
    assert "wrote serverless.yml" in result.stderr
    assert ".botplatform/bundles/daily.zip" in result.stderr


def test_what_changed_is_deployed_for_the_running_python_and_the_first_steps_are_shown(
    deploy: Deploy, project: Project
) -> None:
    deploy("--dry-run")
    project.be_deployed(SlackUrl="https://a.execute-api.eu-central-1.amazonaws.com/slack", AlexaArn="arn:alexa")
    (project.folder / "events/schedule").mkdir(parents=True)
    (project.folder / "events/schedule/daily.json").touch()
    write(project.folder / "plugins", daily=DAILY.replace("Counts", "Adds up"))
    result = deploy("--yes")
    command, *options = project.told[-1]
    package = str(project.folder / ".botplatform" / "package")
    assert (result.exit_code, command) == (0, "deploy")
    assert options == ["--package", package, "--stage", project.stage, "--region", "eu-central-1", *PARAMETERS]
    assert "      + code\n0 to add, 1 to change, 0 to remove\n" in result.stdout
    for line in (
        "slack    https://a.execute-api.eu-central-1.amazonaws.com/slack",
        "alexa    arn:alexa",
        f"try it   botplatform send --stage {project.stage} events/schedule/daily.json",
    ):
        assert line in result.stdout


PARAMETERS = [f"--param=runtime=python3.{sys.version_info.minor}", "--param=architecture=arm64"]


def test_what_did_not_change_is_not_deployed_again(deploy: Deploy, project: Project) -> None:
    deploy("--dry-run")
    project.be_deployed()
    result = deploy("--yes")
    assert (result.exit_code, result.stdout, project.told[-1][0]) == (0, "nothing to change\n", "package")


def test_a_stage_that_was_removed_is_made_anew(deploy: Deploy, project: Project) -> None:
    deploy("--dry-run")
    project.be_deployed()
    project.cloud.stacks[f"botplatform-{project.stage}"].status = "DELETE_COMPLETE"
    assert deploy("--dry-run").stdout.splitlines()[-1] == "1 to add, 0 to change, 0 to remove"


def test_a_region_may_be_named(deploy: Deploy, project: Project) -> None:
    deploy("--dry-run", "--region", "us-west-2")
    assert project.told[0][-4:-2] == ["--region", "us-west-2"]


def test_the_plan_is_json_for_scripts(deploy: Deploy, project: Project) -> None:
    result = deploy("--dry-run", "--json")
    [change] = map(json.loads, result.stdout.splitlines())
    assert (change["sign"], change["kind"], change["name"]) == ("+", "functions", f"botplatform-{project.stage}-daily")


def test_what_a_stage_will_do_without_is_said(deploy: Deploy, project: Project) -> None:
    write(project.folder / "plugins", hello=ASKING)
    without = "SLACK_SIGNING_SECRET is not set: Slack's requests are refused"
    assert without in deploy("--dry-run").stderr
    deploy("secret", "SLACK_SIGNING_SECRET", "--stage", project.stage, stdin=b"s3cret\n")
    assert without not in deploy("--dry-run").stderr


def test_osls_ends_it_with_its_own_status(deploy: Deploy) -> None:
    result = deploy("--yes", OSLS_STATUS="3")
    assert (result.exit_code, "is up" in result.stdout) == (3, False)


@pytest.mark.parametrize("arguments", [[], ["remove"]])
def test_without_a_terminal_nothing_is_done_that_nobody_confirmed(
    deploy: Deploy, project: Project, arguments: list[str]
) -> None:
    result = deploy(*arguments)
    assert (result.exit_code, "nobody is there to be asked: say --yes" in result.stderr) == (1, True)
    assert [command for command, *_ in project.told if command != "package"] == []


@pytest.mark.parametrize(("answer", "done"), [(b"n\n", False), (b"y\n", True)])
def test_on_a_terminal_somebody_is_asked(project: Project, answer: bytes, done: bool) -> None:
    ours, theirs = pty.openpty()
    command = [*PYTHON, "deploy", "--stage", project.stage]
    with subprocess.Popen(
        command, cwd=project.folder, env=project.settings, stdin=theirs, stdout=QUIET, stderr=QUIET
    ) as asked:
        os.write(ours, answer)
        asked.wait(60)
    os.close(ours)
    os.close(theirs)
    assert [command for command, *_ in project.told] == (["package", "deploy"] if done else ["package"])


def test_ctrl_c_leaves_it_to_osls_to_end(project: Project) -> None:
    (project.folder / "slow").touch()
    command = [*PYTHON, "deploy", "--stage", project.stage, "--yes"]
    with subprocess.Popen(
        command, cwd=project.folder, env=project.settings, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as deploying:
        eventually((project.folder / "waiting").exists)
        os.killpg(deploying.pid, signal.SIGINT)
        said, _ = deploying.communicate(timeout=60)
    assert (deploying.returncode, "osls ended in its own way" in said, "Traceback" in said) == (7, True, False)


def test_a_mistake_in_a_plugin_stops_it(deploy: Deploy, project: Project) -> None:
    write(project.folder / "plugins", wrong="from botplatform import slak\n")
    result = deploy("--yes")
    assert (result.exit_code, "plugins/wrong.py:1: " in result.stderr, project.told) == (1, True, [])


def test_without_osls_it_says_how_to_get_it(deploy: Deploy, project: Project) -> None:
    (project.folder / "node_modules/.bin/osls").unlink()
    result = deploy("--dry-run", PATH="/nowhere")
    assert (result.exit_code, "`npm install --no-save osls@4.3.1`" in result.stderr) == (1, True)


def test_without_credentials_it_says_what_to_set(deploy: Deploy) -> None:
    absent = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    result = deploy("--dry-run", **absent, AWS_SHARED_CREDENTIALS_FILE="nothing", AWS_CONFIG_FILE="nothing")
    assert (result.exit_code, "no AWS credentials: set AWS_PROFILE" in result.stderr) == (1, True)


def test_a_stage_has_a_name_that_fits_everywhere(deploy: Deploy) -> None:
    result = deploy("--dry-run", "--stage", "a name")
    assert (result.exit_code, "'a name' is no name for a stage" in result.stderr) == (1, True)


# render


def test_the_template_is_written_and_checked(deploy: Deploy, project: Project) -> None:
    assert deploy("render", "--check").exit_code == 1
    assert deploy("render").stdout == "wrote serverless.yml\n"
    assert deploy("render", "--check").exit_code == 0
    assert deploy("render").stdout == "serverless.yml is current\n"
    write(project.folder / "plugins", daily=DAILY.replace("1 day", "2 days"))
    result = deploy("render", "--check")
    assert (result.exit_code, "run botplatform deploy render" in result.stderr) == (1, True)
    assert "rate(2 days)" not in (project.folder / "serverless.yml").read_text()


# remove


def test_a_stage_is_removed_by_osls(deploy: Deploy, project: Project) -> None:
    result = deploy("remove", "--yes")
    assert (result.exit_code, project.told) == (
        0,
        [["remove", "--stage", project.stage, "--region", "eu-central-1"]],
    )


def test_the_stage_named_before_a_subcommand_is_the_one_it_is_about(cli: Run, project: Project) -> None:
    for arguments in (["--stage", "ours", "remove"], ["remove", "--stage", "ours"]):
        assert cli("deploy", *arguments, "--yes", **project.settings).exit_code == 0
        assert project.told[-1][:3] == ["remove", "--stage", "ours"]


# secret


def test_a_secret_is_kept_encrypted_and_never_shown(deploy: Deploy, project: Project) -> None:
    result = deploy("secret", "SLACK_BOT_TOKEN", "--stage", project.stage, stdin=b"xoxb-s3cret\n")
    name = f"/botplatform/{project.stage}/SLACK_BOT_TOKEN"
    assert (result.exit_code, result.output) == (0, f"kept as {name}\n")
    kept = project.cloud.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert (kept["Type"], kept["Value"]) == ("SecureString", "xoxb-s3cret")
    assert deploy("secret", "SLACK_BOT_TOKEN", "--stage", project.stage, stdin=b"xoxb-other\n").exit_code == 0


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [("SLACK_TOKEN", b"x\n", "'SLACK_TOKEN'; there are "), ("SLACK_BOT_TOKEN", b"\n", "no value for SLACK_BOT_TOKEN")],
)
def test_only_a_known_secret_with_a_value_is_kept(deploy: Deploy, name: str, value: bytes, sentence: str) -> None:
    result = deploy("secret", name, stdin=value)
    assert (result.exit_code > 0, sentence in result.stderr) == (True, True)
