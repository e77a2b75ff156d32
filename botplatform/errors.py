"""Errors by what the caller can do about them; anything else is a bug and keeps its traceback."""

from __future__ import annotations


class BotplatformError(Exception):
    """Anything the platform foresees: its message is one sentence for the person who reads it."""


class Rejected(BotplatformError):
    """Bad input: trying again cannot help.

    A source raises or yields it for a record it cannot read, a plugin for an event it will not take.
    `where` is the place inside the input (`$.Records[3]`, `line 7`), empty for the whole of it.
    """

    def __init__(self, reason: str, where: str = "") -> None:
        super().__init__(f"{where}: {reason}" if where else reason)
        self.reason = reason
        self.where = where


class Unauthorized(Rejected):
    """A request whose sender could not be verified: answered with 401, and nothing of it is stored."""


class TooLarge(Rejected):
    """An input over its limit: answered with 413."""


class Retry(BotplatformError):
    """Try this event again later, `after` seconds from now, or when the backoff says."""

    def __init__(self, reason: str = "", after: float | None = None) -> None:
        super().__init__(reason or "asked to be retried")
        self.after = after


class NotAttempted(Retry):
    """Nothing was begun, and nobody outside has heard of it: an effect that could not even be tried is not given up."""


class Overloaded(NotAttempted):
    """As much is under way as the settings allow: nothing of the event was taken in, so its sender still has it."""


class PluginMistake(BotplatformError):
    """What an author has to change in a plugin: one sentence that begins with its file and line."""

    def __init__(self, reason: str, file: str, line: int | None = None) -> None:
        super().__init__(f"{file}:{line}: {reason}" if line else f"{file}: {reason}")
        self.reason = reason
        self.file = file
        self.line = line


class InvalidSettings(BotplatformError):
    """Every setting that is missing or wrong, all in one message."""


class StateUnavailable(BotplatformError):
    """The state cannot be opened, read or written: a full disk, a read-only folder, another platform on it."""


class Conflict(BotplatformError):
    """Something this unit read was changed before it committed: the engine runs the handler again."""
