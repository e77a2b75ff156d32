"""What is in a message: events in any of the forms that reach a queue, dead letters that were sent back among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from botplatform.errors import Rejected
from botplatform.event import Event
from botplatform.hosts.records import Piece, StoredFile, opened, recognized
from botplatform.hosts.worker.queue import Message
from botplatform.source import Raw, Source


class Reader:
    """Reads messages; `content` gives the bytes of a file in S3 of which a notification tells, and may raise Retry."""

    def __init__(self, sources: Mapping[str, Source], content: Callable[[StoredFile], bytes]) -> None:
        self._sources = sources
        self._content = content

    def read(self, message: Message) -> Iterator[Event | Rejected]:
        """The events in a message, and a Rejected for each record that is none."""
        try:
            for piece in opened(message.body.encode(), message.id):
                yield from self._events(piece)
        except Rejected as rejected:
            yield rejected

    def _events(self, piece: Piece) -> Iterator[Event | Rejected]:
        if isinstance(piece, Rejected):
            yield piece
            return
        raw = Raw(self._content(piece)) if isinstance(piece, StoredFile) else piece
        yield from recognized(self._sources, raw).normalize(raw)
