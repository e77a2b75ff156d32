"""The patterns that the benchmarks match: as many as asked for, of the kinds they say, understood by all alike."""

from __future__ import annotations

import pytest

from benchmarks import subscriptions
from benchmarks.cloudtrail_events import FOLDER, source_of, trail, varied, wrapped
from benchmarks.predicates import predicate
from botplatform.patterns.index import Index
from botplatform.patterns.parse import compile

MIXES = (subscriptions.keyed, subscriptions.mixed, subscriptions.busiest, subscriptions.seldom)
RECORDS = varied(400)


@pytest.mark.parametrize("mix", MIXES)
def test_a_mix_is_the_same_each_time(mix):
    assert subscriptions.drawn(mix, RECORDS, 50) == subscriptions.drawn(mix, RECORDS, 50)


@pytest.mark.parametrize("mix", MIXES)
def test_functions_written_by_hand_the_patterns_and_the_index_agree(mix):
    wanted = [want.of_event() for want in subscriptions.drawn(mix, RECORDS, 200)]
    patterns = [compile(pattern) for pattern in wanted]
    index = Index()
    for number, pattern in enumerate(patterns):
        index.add(number, pattern)
    asked = {"by hand": [predicate(pattern) for pattern in wanted], "compiled": [p.matches for p in patterns]}
    for event in map(wrapped, RECORDS[::8]):
        found = {name: [n for n, matches in enumerate(way) if matches(event)] for name, way in asked.items()}
        assert found["by hand"] == found["compiled"] == [number for number, _ in index.match(event)]


@pytest.mark.parametrize("mix", MIXES)
def test_a_pattern_over_the_record_wants_the_same_as_that_over_its_event(mix):
    for want in subscriptions.drawn(mix, RECORDS, 50):
        of_record, of_event = compile(want.of_record()), compile(want.of_event())
        for record in RECORDS[::20]:
            assert of_record.matches(record) == of_event.matches(wrapped(record))


def test_most_of_the_mixed_ones_name_a_call_and_a_few_no_source():
    wanted = subscriptions.drawn(subscriptions.mixed, RECORDS, 1000)
    named = [want for want in wanted if ("eventName",) in want.conditions]
    assert 760 < len(named) < 840
    assert 30 < sum(want.service is None for want in wanted) < 70


def test_what_is_seldom_asked_for_concerns_one_event_in_twenty_at_most():
    pairs = {(want.service, *want.conditions[("eventName",)]) for want in _many(subscriptions.seldom)}
    concerned = [record for record in RECORDS if (source_of(record), record["eventName"]) in pairs]
    assert 0 < len(concerned) <= len(RECORDS) / 20


def test_the_busiest_calls_are_forty():
    pairs = {(want.service, *want.conditions[("eventName",)]) for want in _many(subscriptions.busiest)}
    assert len(pairs) == subscriptions.BUSIEST


def test_without_a_folder_the_events_vary_our_samples():
    told = trail({})
    assert len(told.bodies) == len({event["id"] for event in told.events}) == 2900
    assert "variations of our samples" in told.origin


def test_a_folder_of_log_files_is_read(shared_data):
    told = trail({FOLDER: str(shared_data / "cloudtrail" / "invictus")})
    assert told.origin == "2,900 records of invictus, 1,485 bytes each"


def test_a_folder_without_log_files_is_a_mistake(tmp_path):
    with pytest.raises(FileNotFoundError, match="which BENCHMARK_CLOUDTRAIL names"):
        trail({FOLDER: str(tmp_path)})


def _many(mix):
    return subscriptions.drawn(mix, RECORDS, 2000)
