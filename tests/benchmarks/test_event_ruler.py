"""event-ruler as a peer: asked where it is there, and told of where it is not."""

from __future__ import annotations

import os

import pytest

from benchmarks import event_ruler
from benchmarks.event_ruler import CLASSPATH


def test_without_its_jars_it_is_not_there():
    assert not event_ruler.is_there({})
    assert "software.amazon.event.ruler:event-ruler" in event_ruler.ABSENT


@pytest.mark.skipif(not event_ruler.is_there(), reason=event_ruler.ABSENT)
def test_it_answers_round_by_round(tmp_path):
    assert os.environ[CLASSPATH]
    with event_ruler.running([{"a": [1]}, {"a": [{"exists": True}]}], [b'{"a":1}', b'{"a":2}'], tmp_path) as ruler:
        assert ruler.counts == [2, 1]
        assert [ruler.match("text")[1], ruler.match("tree")[1]] == [3, 3]
