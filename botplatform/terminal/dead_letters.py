"""Dead letters on a terminal, and the data of one as somebody edits it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import click

from botplatform import codec
from botplatform.errors import Rejected
from botplatform.letters import Letter
from botplatform.terminal.story import envelope_told, origins_told
from botplatform.terminal.text import clock_time, cut, plain


class Edited(NamedTuple):
    """New data for an event: any JSON value."""

    data: Any


def letter_line(letter: Letter) -> str:
    """One of a list: its number, when it was given up, what it is about, and why."""
    about = " ".join(filter(None, (letter["type"], letter["subject"]))) or "no event"
    told = f"{letter['number']:>6} {clock_time(letter['changed'])[:19]} {cut(about, 44)} {_why(letter)}"
    return cut(told, shutil.get_terminal_size().columns).rstrip() if sys.stdout.isatty() else told


def letter_told(letter: Letter) -> str:
    """All of one."""
    about = " ".join(filter(None, (letter["type"], letter["subject"]))) or "no event"
    lines = [
        click.style(f"{letter['number']}  {plain(about)}", bold=True),
        f"    given up {clock_time(letter['changed'])}",
        f"    {_why(letter)}",
        *origins_told(letter["envelope"] or {}),
        *envelope_told(letter["envelope"]),
    ]
    return "\n".join(lines)


def _why(letter: Letter) -> str:
    attempts = letter.get("attempts")
    tries = f" after {attempts} attempts" if attempts and attempts > 1 else ""
    return plain(f"{letter['handler']}{tries}: {letter['reason']}".removeprefix(": "))


def asked_for(envelope: Mapping[str, Any]) -> Edited | None:
    """What somebody makes of the data in their editor; None when they leave it. What is no JSON they may repair."""
    text = _shown(envelope)
    while (edited := click.edit(text, extension=".json")) and edited != text:
        try:
            return given(edited.encode())
        except Rejected as rejected:
            click.echo(rejected, err=True)
            if not sys.stdin.isatty() or not click.confirm("Edit it again?", default=True, err=True):
                raise
            text = edited
    return None


def given(text: bytes) -> Edited:
    """The data that somebody wrote as JSON; raises Rejected with the line and column of the first mistake."""
    try:
        return Edited(codec.decode(text))
    except Rejected as rejected:
        raise Rejected(f"the data is {rejected}{_place(text)}") from None


def _place(text: bytes) -> str:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f", line {error.lineno}, column {error.colno}"
    except ValueError:
        pass
    return ""


def _shown(envelope: Mapping[str, Any]) -> str:
    """The data to begin with: bytes as a text where they are one, for what comes back is JSON."""
    data = envelope.get("data")
    if "data_base64" in envelope:
        data = codec.from_base64(envelope["data_base64"], "data_base64").decode(errors="replace")
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
