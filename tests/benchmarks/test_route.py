"""What `route` measures: an event's bytes in, the handlers whose patterns match called, each once."""

from __future__ import annotations

import pytest

from benchmarks import subscriptions
from benchmarks.cloudtrail_events import varied, wrapped
from benchmarks.route import Calls, router_of
from botplatform import codec
from botplatform.patterns.parse import compile
from botplatform.source import Raw
from botplatform.sources.cloudtrail import SOURCE

RECORDS = varied(200)


@pytest.mark.parametrize("mix", [subscriptions.mixed, subscriptions.seldom])
def test_handlers_are_called_for_the_events_their_patterns_match(mix):
    wanted = subscriptions.drawn(mix, RECORDS, 100)
    calls = Calls()
    router = router_of(wanted, calls)
    normalize = router.normalizer(SOURCE)
    for record in RECORDS:
        (event,) = normalize(Raw(codec.encode(wrapped(record))))
        for match in router.route(event):
            match.handler.function(event)
    patterns = [compile(want.of_record()) for want in wanted]
    assert calls.count == sum(pattern.matches(record) for pattern in patterns for record in RECORDS) > 0
