"""JSON to and from bytes: the one place that chooses a JSON library."""

from __future__ import annotations

from typing import Any

import msgspec

from botplatform.errors import Rejected

Raw = msgspec.Raw
"""Bytes that are JSON already: `encode` copies them as they are."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


def encode(value: Any) -> bytes:
    """The compact JSON of `value`; raises TypeError for what JSON cannot hold."""
    return _encoder.encode(value)


def decode(data: bytes | str) -> Any:
    """The value of a JSON text; raises Rejected with the place of the first mistake."""
    try:
        return _decoder.decode(data)
    except RecursionError:
        raise Rejected("JSON nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejected(f"not JSON: {error}") from None


def is_json(data: bytes) -> bool:
    """Whether `data` is one whole JSON text."""
    try:
        decode(data)
    except Rejected:
        return False
    return True


def misfit(value: Any, type_: Any) -> str | None:
    """Why `value`, as JSON decoded it, is not of `type_` (a TypedDict, a dataclass, list[int], …); None when it is."""
    try:
        msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        return str(error)
    return None
