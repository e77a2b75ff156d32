"""Commands that take the plugins to AWS: `botplatform deploy` and what belongs to it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from botplatform.cli.options import AS_JSON, PLUGINS, REGION, STAGE, YES, ask, load, staged

if TYPE_CHECKING:
    from botplatform.deploy.deployment import Deployment
    from botplatform.deploy.packages import Architecture

# Where serverless.yml looks for the bundles.
HOME = Path(".botplatform")


@click.group(invoke_without_command=True)
@PLUGINS
@STAGE
@REGION
@click.option("--arch", type=click.Choice(["arm64", "x86_64"]), default="arm64", show_default=True, help="Processor.")
@YES
@click.option("--dry-run", is_flag=True, help="Make the bundles and show the plan; deploy nothing.")
@AS_JSON
@click.pass_context
def deploy(
    ctx: click.Context,
    folders: Sequence[Path],
    stage: str,
    region: str,
    arch: Architecture,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Deploy the plugins to AWS: render serverless.yml, bundle, show what would change, ask, and call osls.

    Exits as osls does. With --json, the plan comes one change a line, and osls speaks on standard output after it.
    """
    if ctx.invoked_subcommand:
        # `deploy --stage prod remove` must not remove another stage.
        given = {"folders": folders, "stage": stage, "region": region, "yes": yes}
        ctx.default_map = {ctx.invoked_subcommand: given}
        return
    from botplatform.terminal.deployment import show_next_steps, show_plan

    deployment = _prepared(folders, stage, region, arch)
    changes = deployment.plan()
    show_plan(changes, [*deployment.missing(), *deployment.not_kept()], as_json)
    if dry_run or not changes:
        return
    ask(f"Deploy this to {deployment.stage.stack} in {deployment.stage.region}?", yes)
    status = deployment.deploy()
    if status == 0 and not as_json:
        show_next_steps(staged(stage, region))
    sys.exit(status)


@deploy.command()
@PLUGINS
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit with 1 if it is not what it should be.")
def render(folders: Sequence[Path], only_check: bool) -> None:
    """Write serverless.yml, derived from what the plugins declare."""
    from botplatform.deploy import deployment

    plugins = load(folders)
    deployment.check(plugins)
    if only_check:
        if deployment.is_stale(plugins):
            raise click.ClickException("serverless.yml is not what the plugins declare: run botplatform deploy render")
        return
    click.echo(f"wrote {deployment.TEMPLATE}" if deployment.written(plugins) else f"{deployment.TEMPLATE} is current")


@deploy.command()
@STAGE
@REGION
@YES
def remove(stage: str, region: str, yes: bool) -> None:
    """Remove a stage. The table of a stage with state stays, with all that is in it."""
    from botplatform.deploy.osls import Osls

    it = staged(stage, region)
    ask(f"Remove {it.stack} from {it.region}, account {it.account()}?", yes)
    sys.exit(Osls(Path.cwd(), it.name, it.region, it.settings, {}).remove())


@deploy.command()
@click.argument("name")
@STAGE
@REGION
def secret(name: str, stage: str, region: str) -> None:
    """Keep a secret (SLACK_SIGNING_SECRET, SLACK_BOT_TOKEN) for a stage, encrypted, in AWS's Parameter Store.

    It is asked for without an echo, or read from standard input.
    """
    from botplatform.settings import declared

    known = [setting.name for setting in declared() if setting.secret]
    if name not in known:
        raise click.BadParameter(f"{name!r}; there are {', '.join(known)}", param_hint="NAME")
    value = click.prompt(name, hide_input=True) if sys.stdin.isatty() else sys.stdin.readline().strip()
    if not value:
        raise click.ClickException(f"no value for {name}")
    it = staged(stage, region)
    it.put_secret(name, value)
    click.echo(f"kept as {it.secret_name(name)}")


def _prepared(folders: Sequence[Path], stage: str, region: str, arch: Architecture) -> Deployment:
    """A deployment that is bundled."""
    from botplatform.deploy import deployment, packages

    plugins = load(folders)
    made = deployment.Deployment(plugins, staged(stage, region), packages.target(arch), HOME)
    account = made.stage.account()
    if deployment.written(plugins):
        click.echo(f"wrote {deployment.TEMPLATE}: commit it with the plugins it was made of", err=True)
    click.echo(f"stage {stage} in {made.stage.region}, account {account}", err=True)
    with click.progressbar(
        made.bundle(), len(made.functions), "bundling", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as progress:
        bundles = list(progress)
    for bundle in bundles:
        click.echo(f"  {bundle.size / 1000:>6,.0f} kB  {bundle.path}", err=True)
    return made
