"""Keeps the messages of a queue hidden while they are handled, and deletes them or gives them back in batches."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from botplatform.errors import Retry
from botplatform.hosts.worker.queue import Message, Queue, batches

logger = logging.getLogger(__name__)


class Holder(Protocol):
    """Whoever handles a message."""

    message: Message

    def lose(self) -> None:
        """Let nothing of it begin to commit any more, since others may see the message."""


class Visibility:
    """What this machine has of one queue, seen to by one thread; safe to use from any other.

    While a request is under way, what there is to do gathers: so the busier it is, the fewer requests a message takes.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._changed = threading.Condition()
        self._held: dict[str, tuple[Holder, float]] = {}
        self._to_delete: list[Message] = []
        self._to_hide: list[tuple[Message, int]] = []
        self._next_beat = time.monotonic() + queue.visibility / 3
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name=f"{queue.name}-visibility", daemon=True)
        self._thread.start()

    def hold(self, holder: Holder) -> None:
        """Keep a message hidden from now on; it has just been received."""
        with self._changed:
            self._held[holder.message.receipt] = holder, time.monotonic() + self._queue.visibility

    def delete(self, message: Message) -> None:
        """Delete a message, which is done; nothing to do for one that was lost."""
        self._let_go(message, lambda: self._to_delete.append(message))

    def give_back(self, message: Message, after: float) -> None:
        """Let others see a message again in so many seconds; nothing to do for one that was lost."""
        # Amazon SQS, "ChangeMessageVisibility": 12 hours at most.
        self._let_go(message, lambda: self._to_hide.append((message, min(round(after), 12 * 3600))))

    def stop(self) -> None:
        """Give back at once what is not finished, and see to all that is left to do."""
        for holder in self._holders():
            holder.lose()
            self.give_back(holder.message, 0)
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _holders(self) -> list[Holder]:
        with self._changed:
            return [holder for holder, _ in self._held.values()]

    def _let_go(self, message: Message, then: Callable[[], None]) -> None:
        with self._changed:
            if self._held.pop(message.receipt, None):
                then()
                self._changed.notify()

    def _work(self) -> None:
        while self._wait():
            with self._changed:
                deleting, self._to_delete = self._to_delete, []
                hiding, self._to_hide = self._to_hide, []
            for messages in batches(deleting):
                self._try("delete", partial(self._queue.delete, messages))
            for hidden in batches(hiding):
                self._try("give back", partial(self._queue.hide, hidden))
            if time.monotonic() >= self._next_beat:
                self._beat()

    def _wait(self) -> bool:
        """Return when there is something to do; False when there is nothing more, for good."""
        with self._changed:
            while not (self._to_delete or self._to_hide):
                pause = self._next_beat - time.monotonic()
                if self._stopping or pause <= 0:
                    break
                self._changed.wait(pause)
            return bool(self._to_delete or self._to_hide) or not self._stopping

    def _beat(self) -> None:
        """Hide for longer what is being handled, and have given up what others may see by now."""
        self._next_beat = time.monotonic() + self._queue.visibility / 3
        for holders in batches(self._holders()):
            hidden = [(holder.message, self._queue.visibility) for holder in holders]
            until = time.monotonic() + self._queue.visibility
            lost = self._try("hide", partial(self._queue.hide, hidden))
            self._extend(holders, lost, until)

    def _extend(self, holders: list[Holder], lost: set[str] | None, until: float) -> None:
        """`lost` are the ids that SQS says are not ours; None when it did not answer, and only time can tell."""
        with self._changed:
            for holder in holders:
                held = self._held.get(holder.message.receipt)
                if held and lost is not None and holder.message.id not in lost:
                    self._held[holder.message.receipt] = holder, until
                elif held and (lost is not None or held[1] <= time.monotonic()):
                    del self._held[holder.message.receipt]
                    logger.warning("%s: a message became visible to others before it was done", self._queue.name)
                    holder.lose()

    def _try(self, what: str, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except Retry as error:
            logger.warning("could not %s messages: %s", what, error)
            return None
