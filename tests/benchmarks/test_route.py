"""What `route` measures: an event's bytes in, the handlers whose patterns match called, each once."""

from __future__ import annotations

import pytest

from benchmarks import subscriptions
from benchmarks.cloudtrail_events import varied, wrapped
from benchmarks.route import called, router_of
from botplatform import codec
from botplatform.patterns.parse import compile
from botplatform.reader import reader
from botplatform.sources.cloudtrail import SOURCE

RECORDS = varied(200)


@pytest.mark.parametrize("mix", [subscriptions.mixed, subscriptions.seldom])
def test_handlers_are_called_for_the_events_their_patterns_match(mix):
    wanted = subscriptions.drawn(mix, RECORDS, 100)
    before = called.count
    read = reader(SOURCE, router_of(wanted))
    for record in RECORDS:
        ((event, plan),) = read(codec.encode(wrapped(record)))
        for function in plan.functions:
            function(event)
    patterns = [compile(want.of_record()) for want in wanted]
    assert called.count - before == sum(pattern.matches(record) for pattern in patterns for record in RECORDS) > 0
