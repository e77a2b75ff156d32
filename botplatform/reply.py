"""An answer for whoever waits: written once by a plugin, rendered by the source that asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from botplatform.values import NamedTuple


class Card(NamedTuple):
    """What a screen shows beside the spoken words."""

    title: str
    text: str


class Reply(NamedTuple):
    """What a handler answers; each source takes what it can show.

    `text` is for everyone, and is spoken where there is no `speech` (plain words, or SSML from `<speak>` on).
    `blocks` are Slack Block Kit; `in_channel` lets everybody in the channel see it (a reply is private otherwise).
    `reprompt` asks again and keeps an Alexa session open; `end_session` decides that by hand; `session` is what the
    session shall remember. `native` is a whole answer in the source's own format, sent as it is.

    A reply that is nothing but text equals that text: `platform.slack("/temp attic") == "No reading yet."`.
    """

    text: str = ""
    speech: str | None = None
    card: Card | None = None
    blocks: Sequence[Mapping[str, Any]] | None = None
    reprompt: str | None = None
    end_session: bool | None = None
    in_channel: bool = False
    session: Mapping[str, Any] | None = None
    native: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """What is not default, as JSON values."""
        if self[1:] == _NOTHING_BUT_TEXT:
            return {"text": self.text} if self.text else {}
        shown = {name: value for name, value in self._asdict().items() if value != self._field_defaults[name]}
        if self.card:
            shown["card"] = {"title": self.card.title, "text": self.card.text}
        return shown

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Reply:
        """The reply that `to_dict` described."""
        if len(values) == 1 and "text" in values:
            return cls._make((values["text"], *_NOTHING_BUT_TEXT))
        card = values.get("card")
        return cls(**{**values, "card": Card(**card)} if card else values)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return self.to_dict() == Reply(other).to_dict()
        return self.to_dict() == other.to_dict() if isinstance(other, Reply) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.text)


_NOTHING_BUT_TEXT = Reply()[1:]


# Nobody may be told what went wrong inside; the log knows.
APOLOGY: Final = Reply("Sorry, that went wrong. It is in the log.")


def told(answer: object) -> dict[str, Any] | None:
    """What a handler returned as `Reply.to_dict` has it, None for nothing; raises TypeError for what is no answer."""
    if answer is None:
        return None
    if isinstance(answer, str):
        return {"text": answer} if answer else {}
    if isinstance(answer, Reply):
        return answer.to_dict()
    raise TypeError(f"a handler returns a Reply, text or None, not {type(answer).__name__}")
