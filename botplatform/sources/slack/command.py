"""Templates of slash commands: what a person types after the command becomes parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping

from botplatform.errors import Rejected
from botplatform.values import NamedTuple

# Slack API, "Creating a slash command": lower-case, at most 32 characters, no spaces.
_COMMAND = r"/[^\s/A-Z]{1,31}"
_PARAMETER = r"\{([a-z_][a-z0-9_]*)\}"


class CommandTemplate(NamedTuple):
    """`/temp {room}`: the command, and the names of the words that follow it."""

    text: str
    command: str
    names: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> CommandTemplate:
        """Read a template; raises ValueError saying what is wrong with it."""
        command, *words = text.split() or [""]
        if not re.fullmatch(_COMMAND, command):
            raise ValueError(f"{text!r} is no slash command: it begins with / and a lower-case name, as in '/temp'")
        names = [found[1] if (found := re.fullmatch(_PARAMETER, word)) else "" for word in words]
        if "" in names:
            raise ValueError(f"{words[names.index('')]!r} in {text!r} is no parameter: write {{room}}")
        if len(set(names)) < len(names):
            raise ValueError(f"{text!r} names a parameter twice")
        return cls(text, command, tuple(names))

    def bind(self, typed: str) -> Mapping[str, str]:
        """The parameters in what was typed after the command; the last takes all that is left. Raises Rejected."""
        if not self.names:
            return {}
        words = typed.split(maxsplit=len(self.names) - 1)
        if len(words) < len(self.names):
            raise Rejected(f"usage: {self.text}")
        return dict(zip(self.names, (word.strip() for word in words), strict=True))
