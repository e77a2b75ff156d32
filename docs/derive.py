"""Writes the docs that are derived from the code: `python docs/derive.py` (`make check` finds stale ones)."""

from __future__ import annotations

import inspect
import json
from functools import partial
from pathlib import Path

import cost_tables
import openapi
import soak
import speed

from botplatform import hookspecs, settings

ROOT = Path(__file__).resolve().parents[1]


def settings_page() -> str:
    """The text of docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Set them in the environment or in a file `.env` beside the plugins; the environment wins. All have a default,",
        "and whatever is wrong is said at the start, all at once. Secrets never appear in logs or messages.",
        "",
        "| setting | default | what it is for |",
        "|---|---|---|",
    ]
    for setting in settings.declared():
        default = ",".join(setting.default) if isinstance(setting.default, tuple) else setting.default
        shown = f"`{default}`" if default else ""
        secret = " Secret." if setting.secret else ""
        lines.append(f"| `{setting.name}` | {shown} | {setting.about[0].upper()}{setting.about[1:]}.{secret} |")
    return "\n".join(lines) + "\n"


def hooks_page() -> str:
    """The text of docs/hooks.md."""
    lines = [
        "# Hooks",
        "",
        "Every extension point, in [pluggy](https://pluggy.readthedocs.io)'s terms. The platform's own sources,",
        "effects and stores are registered through the same hooks. Mark an implementation with",
        "`botplatform.hookimpl`; a handler is marked by its source's decorator.",
        "",
    ]
    for name, hook in vars(hookspecs).items():
        if hasattr(hook, "botplatform_spec"):
            signature = inspect.signature(hook)
            lines += [f"## `{name}{str(signature).replace(chr(39), '')}`", "", inspect.getdoc(hook) or "", ""]
    return "\n".join(lines)


def faults_page() -> str:
    """The text of docs/faults.md: what docs/faults.json, a report of `make test-faults`, says."""
    lines = [
        "# Faults",
        "",
        "What came of the faults that `make test-faults` injects, each as often as the table says, under load;",
        "[what-happens-if.md](what-happens-if.md) says what is promised for each. *Lost* counts events and effects",
        "that were accepted or asked for and are not there; *doubled in state*, events that were counted more than",
        "once. An effect is *doubled* only where the process died after the outside was asked for it and before it was",
        "marked, which can happen to one effect while the process is killed at the point of another, or where the",
        "outside did it and its answer never came; and only where the outside takes no key to know it by. *To recover*",
        "are the seconds until the platform took the next event; where it was killed, Python's start and imports,",
        "which the tests spare themselves, come on top.",
        "",
        "| fault | times | lost | doubled in state | doubled effects | to recover: median | longest |",
        "|---|---|---|---|---|---|---|",
    ]
    counts = ("point", "runs", "lost", "duplicated_state", "duplicated_effects")
    for fault in json.loads((ROOT / "docs" / "faults.json").read_text()):
        seconds = [fault["recovery_median"], fault["recovery_max"]]
        shown = [*(str(fault[name]) for name in counts), *("" if s is None else f"{s:.2f} s" for s in seconds)]
        lines.append(f"| {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


DERIVED = {
    "docs/settings.md": settings_page,
    "docs/hooks.md": hooks_page,
    "docs/cost.md": partial(cost_tables.page, "cost.md"),
    "docs/cold-starts.md": partial(cost_tables.page, "cold-starts.md"),
    "docs/faults.md": faults_page,
    "docs/openapi.json": openapi.page,
    "docs/performance.md": partial(speed.page, "docs/performance.md"),
    "docs/soak.md": soak.page,
    ".env.example": settings.example,
    "README.md": partial(speed.page, "README.md"),
}


if __name__ == "__main__":
    for name, text in DERIVED.items():
        (ROOT / name).write_text(text())
