"""What is wrong with a pattern or a topic template, and where in it."""

from __future__ import annotations


class PatternError(ValueError):
    """A pattern the service would refuse, or a topic template no broker would take.

    `reason` says what is wrong; `where` is the place: `$.detail.eventName[0]` in a pattern, `level 2` in a topic.
    """

    def __init__(self, reason: str, where: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.reason = reason
        self.where = where
