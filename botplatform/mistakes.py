"""What went wrong in a plugin as a sentence for its author: the line, and the name that was probably meant."""

from __future__ import annotations

import builtins
import difflib
import re
import sys
import traceback
from collections.abc import Collection
from pathlib import Path
from types import ModuleType

import pluggy

from botplatform import hookspecs
from botplatform.errors import Rejected


def sentence(error: BaseException) -> str:
    """What went wrong, and what was probably meant."""
    if isinstance(error, Rejected | ValueError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        return f"cannot import {error.name!r}: it is not installed, or misspelt"
    if isinstance(error, SystemExit):
        return "it exits when it is imported"
    if isinstance(error, pluggy.PluginValidationError):
        return _about_a_hook(error)
    hint = _hint(error) if isinstance(error, AttributeError | NameError | ImportError) else ""
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        return f"{error.obj.__name__.rpartition('.')[2]} has no {error.name!r}{hint}"
    return f"{type(error).__name__}: {error}{hint}"


def did_you_mean(name: str, known: Collection[str]) -> str:
    """The known name that is most like one that is not known; all of them where they are few."""
    public = sorted(other for other in known if not other.startswith("_"))
    close = difflib.get_close_matches(name, public, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f" (known: {', '.join(public)})" if 0 < len(public) < 12 else ""


def line_in(error: BaseException, file: str) -> int | None:
    """The last line of the plugin's own file that the error passed through."""
    name = Path(file).name
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).name == name]
    return lines[-1] if lines else None


def line_of(file: str, name: str) -> int | None:
    """The first line of a file that begins with a name."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return None
    return next((number for number, line in enumerate(lines, 1) if line.startswith(name)), None)


def _hint(error: AttributeError | NameError | ImportError) -> str:
    """The name that was not found, compared with those that were there."""
    name, ours = error.name or "", dir(sys.modules["botplatform"])
    if isinstance(error, AttributeError):
        return did_you_mean(name, dir(error.obj))
    if isinstance(error, ImportError):
        wanted = re.findall(r"name '(\w+)'", str(error))
        return did_you_mean("".join(wanted[:1]), dir(sys.modules.get(name)))
    return f"; write: from botplatform import {name}" if name in ours else did_you_mean(name, [*ours, *dir(builtins)])


def _about_a_hook(error: pluggy.PluginValidationError) -> str:
    """What pluggy says, without the module's address."""
    said = str(error).partition(" in plugin <")[0].replace("\n", " ")
    unknown = re.fullmatch(r"unknown hook '(\w+)'", said)
    known = [name for name, hook in vars(hookspecs).items() if hasattr(hook, "botplatform_spec")]
    return said + (did_you_mean(unknown[1], known) if unknown else "")
