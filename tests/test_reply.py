"""What a handler may answer, and how that is kept."""

from __future__ import annotations

import pytest

from botplatform import Card, Reply, codec
from botplatform.reply import told

REPLIES = [
    Reply(),
    Reply("warm"),
    Reply("warm", speech="<speak>warm</speak>", card=Card("Kitchen", "31 °C")),
    Reply("warm", blocks=[{"type": "section"}], in_channel=True),
    Reply(reprompt="which room?", end_session=False, session={}),
    Reply(native={"response_action": "clear"}),
]


@pytest.mark.parametrize("reply", REPLIES)
def test_it_is_the_same_after_it_was_kept_as_json(reply: Reply) -> None:
    assert Reply.from_dict(codec.decode(codec.encode(reply.to_dict()))) == reply


def test_replies_that_differ_in_anything_are_not_equal() -> None:
    assert all(a != b for i, a in enumerate(REPLIES) for b in REPLIES[i + 1 :])


def test_only_what_was_said_is_kept() -> None:
    assert Reply("warm").to_dict() == {"text": "warm"}


def test_a_reply_of_nothing_but_text_equals_that_text() -> None:
    assert Reply("warm") == "warm"
    assert hash(Reply("warm")) == hash("warm")


def test_a_reply_of_more_than_text_does_not() -> None:
    assert Reply("warm", in_channel=True) != "warm"


def test_a_handler_may_return_a_reply_text_or_nothing() -> None:
    assert told(Reply("warm", reprompt="More?")) == {"text": "warm", "reprompt": "More?"}
    assert told("warm") == told(Reply("warm")) == {"text": "warm"}
    assert told("") == told(Reply()) == {}
    assert told(None) is None


@pytest.mark.parametrize("answer", [0, b"warm", {"text": "warm"}, ["warm"], Card("a", "b")])
def test_anything_else_a_handler_returns_is_a_mistake(answer: object) -> None:
    with pytest.raises(TypeError, match=f"not {type(answer).__name__}"):
        told(answer)
