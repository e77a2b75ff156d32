"""How far a handler may go on a host with threads of its own: what it declares, and else what the host allows."""

from __future__ import annotations

from typing import NamedTuple

from botplatform.router import Router


class Allowance(NamedTuple):
    """What `subscription.Limits` says, with nothing left open: `deadline` is in seconds."""

    retries: int
    deadline: float
    concurrency: int

    def of(self, handler: str, router: Router) -> Allowance:
        """The allowance of a handler by its name, where this is the host's; a handler that is gone has the host's."""
        known = router.handlers.get(handler)
        if known is None:
            return self
        declared = known.limits
        return Allowance(
            self.retries if declared.retries is None else declared.retries,
            self.deadline if declared.deadline is None else declared.deadline,
            self.concurrency if declared.concurrency is None else declared.concurrency,
        )
