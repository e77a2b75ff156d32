"""The idempotency of Powertools for AWS Lambda with its records in memory: what its checks cost without any network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace

from aws_lambda_powertools.utilities.idempotency import BasePersistenceLayer, IdempotencyConfig, idempotent_function
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyItemAlreadyExistsError,
    IdempotencyItemNotFoundError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord

from benchmarks.measure import Wrong
from botplatform.store import Work


class InMemory(BasePersistenceLayer):
    """The least a persistence layer is."""

    def __init__(self) -> None:
        super().__init__()
        self._records: dict[str, DataRecord] = {}

    def _get_record(self, idempotency_key: str) -> DataRecord:
        if idempotency_key not in self._records:
            raise IdempotencyItemNotFoundError
        return self._records[idempotency_key]

    def _put_record(self, data_record: DataRecord) -> None:
        known = self._records.get(data_record.idempotency_key)
        if known:
            raise IdempotencyItemAlreadyExistsError(old_data_record=known)
        self._records[data_record.idempotency_key] = data_record

    def _update_record(self, data_record: DataRecord) -> None:
        self._records[data_record.idempotency_key] = data_record

    def _delete_record(self, data_record: DataRecord) -> None:
        del self._records[data_record.idempotency_key]


def again(works: Sequence[Work]) -> Callable[[], int]:
    """Have the work done once; what is returned gives all of it again, and says how much that was."""
    done: list[str] = []
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000)
    config = IdempotencyConfig(event_key_jmespath="id", lambda_context=context)

    @idempotent_function(data_keyword_argument="event", persistence_store=InMemory(), config=config)
    def handle(event: dict[str, str]) -> None:
        done.append(event["id"])

    events = [{"id": work.id} for work in works]
    for event in events:
        handle(event=event)
    return partial(_give, handle, events, done)


def _give(handle: Callable[..., None], events: Sequence[dict[str, str]], done: Sequence[str]) -> int:
    for event in events:
        handle(event=event)
    if len(done) != len(events):
        raise Wrong(f"{len(done)} runs of {len(events)} events")
    return len(events)
