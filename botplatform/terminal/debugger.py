"""A handler under pdb, from its first line on."""

from __future__ import annotations

import pdb
from typing import Any

from botplatform.router import Match


class Left(BaseException):
    """Somebody left the debugger: the handler is not to be run to its end. No handler can catch this by accident."""


class _Debugger(pdb.Pdb):
    left = False

    def set_quit(self) -> None:
        """Note that it was left, by `q` or by the end of the input."""
        self.left = True
        super().set_quit()


def under_pdb(match: Match) -> Match:
    """The match with a handler that stops at its first line and asks what to do; raises Left when it is left."""

    def debugged(**given: Any) -> Any:
        debugger = _Debugger()
        result = debugger.runcall(match.handler.function, **given)
        if debugger.left:
            raise Left
        return result

    return match._replace(handler=match.handler._replace(function=debugged))
