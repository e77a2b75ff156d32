"""JSON and base64, to and from bytes: the one place that chooses a JSON library.

Python's own is there at once, msgspec is several times as fast: a process that lives for one event, on Lambda, stays
with the first, one that goes on calls `use_msgspec`. Both write and read the same (but for the spelling of exponents,
1e+16 or 1e16) and refuse the same with the same words, since whatever Python's `json` takes differently is left to
msgspec.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from json import JSONDecoder, JSONEncoder
from math import isfinite
from typing import Any

from botplatform.errors import Rejected

# Some functions take two of Python's thousand frames for each level.
_DEEPEST = 300
_DEEPEST_RECEIVED = 250
# For objects in no more objects than this, msgspec tells so while it decodes, which costs nothing; what is deeper is
# decoded twice. Each one more doubles what it takes to set that up (3 ms with these).
_USUAL_LEVELS = 7


def encode_with(fields: Mapping[str, Any], name: str, json: bytes) -> bytes:
    """The JSON of an object that is not empty, with one field more that is JSON already: it is copied as it is.

    `name` is a word, with nothing in it to be escaped.
    """
    return b'%s,"%s":%s}' % (encode(fields)[:-1], name.encode(), json)


def skips() -> bool:
    """Whether a text may be decoded in part: by msgspec, which is at work already."""
    return encode is not _encode_with_json


def undecodable() -> tuple[type[Exception], ...]:
    """What a decoder of msgspec raises for a text it cannot decode to its type.

    One that skips parts of a text checks those too, but for UTF-8, for depth, and for numbers too large for any type.
    """
    import msgspec

    return msgspec.DecodeError, UnicodeError, RecursionError


def unwrapping(name: str, beside: Iterable[str]) -> Callable[[bytes], dict[str, Any] | None]:
    """A function from a JSON text to the object it holds as `name`, without making one of what stands round that.

    It answers None where anything else is `beside` it than just these fields, each a text or a list of texts, and for
    whatever `received` refuses: ask that. Before `use_msgspec` it always does.
    """
    decode: Callable[[bytes], Any] | None = None

    def unwrap(data: bytes) -> dict[str, Any] | None:
        nonlocal decode
        if decode is None:
            if not skips():
                return None
            decode = _decoder_of_wrapped(name, beside)
        try:
            inside: dict[str, Any] = decode(data).inside
        except undecodable():
            return None
        return inside

    return unwrap


def is_json(data: bytes) -> bool:
    """Whether `data`, from outside, is one whole JSON text."""
    try:
        received(data)
    except Rejected:
        return False
    return True


def misfit(value: Any, type_: Any) -> str | None:
    """Why `value`, as JSON decoded it, is not of `type_` (a TypedDict, a dataclass, list[int], …); None when it is."""
    import msgspec

    try:
        msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        return str(error)
    return None


def to_base64(data: bytes) -> str:
    """Bytes as JSON can hold them."""
    return b2a_base64(data, newline=False).decode()


def from_base64(value: Any, name: str) -> bytes:
    """The bytes in the base64 of a field; raises Rejected, with the field's name, for what is none."""
    try:
        return a2b_base64(value, strict_mode=True)
    except (TypeError, ValueError):
        raise Rejected(f"{name} is no base64", name) from None


def use_msgspec() -> None:
    """Let msgspec do all the work from now on: worth its import for whoever handles more than a few events."""
    global encode, decode, received
    import msgspec

    encode = msgspec.json.Encoder().encode
    usual = msgspec.json.Decoder(_nested(_USUAL_LEVELS)).decode
    decode, received = _decoder_of_msgspec(usual, _DEEPEST), _decoder_of_msgspec(usual, _DEEPEST_RECEIVED)


def _within(levels: int, value: Any, text: bytes | str) -> Any:
    """A value that was decoded from a text, if it has no more levels than that."""
    # Each level takes an opening and a closing bracket, so most texts need no look at their values.
    if len(text) > 2 * levels and _openings(text) > levels and _is_deeper(value, levels):
        raise Rejected("JSON nested too deeply")
    return value


def _openings(text: bytes | str) -> int:
    """How many brackets a text opens. To measure it without them is twice as fast as to count them."""
    if isinstance(text, str):
        text = text.encode()
    return 2 * len(text) - len(text.replace(b"{", b"")) - len(text.replace(b"[", b""))


def _is_deeper(value: Any, levels: int) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        nested = [outer.values() if isinstance(outer, dict) else outer for outer in level]
        level = [inner for outer in nested for inner in outer if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _encode_with_json(value: Any) -> bytes:
    try:
        if _is_plain(value):
            return _ENCODER.encode(value).encode()
    except RecursionError:
        pass  # msgspec goes as deep as whatever was decoded
    import msgspec

    return msgspec.json.encode(value)


def _is_plain(value: Any) -> bool:
    """Whether both libraries take a value for the same."""
    if isinstance(value, dict):
        return all(type(key) is str for key in value) and all(map(_is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    kind = type(value)
    if kind is float:
        return isfinite(value)
    return kind is str or kind is int or kind is bool or value is None


def _decode_with_json(data: bytes | str, levels: int) -> Any:
    try:
        text = (data.encode() if isinstance(data, str) else data).decode()
        value = _DECODER.decode(text)
        if "\\ud" in text or "\\uD" in text:
            _ENCODER.encode(value).encode()  # fails for half of a surrogate pair, which json reads where it is escaped
    except (ValueError, RecursionError):
        value = _decode_closely(data)  # it says what is wrong, should it agree
    return _within(levels, value, data)


def _decode_closely(data: bytes | str) -> Any:
    import msgspec

    try:
        return msgspec.json.decode(data)
    except RecursionError:
        raise Rejected("JSON nested too deeply") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Rejected(f"not JSON: {error}") from None


def _decoder_of_msgspec(usual: Callable[[bytes | str], Any], levels: int) -> Callable[[bytes | str], Any]:
    others = undecodable()

    def decode(data: bytes | str) -> Any:
        try:
            return usual(data)
        except others:
            return _within(levels, _decode_closely(data), data)

    return decode


def _decoder_of_wrapped(name: str, beside: Iterable[str]) -> Callable[[bytes], Any]:
    import msgspec

    value: Any = _nested(_USUAL_LEVELS - 1)
    others = {f"beside_{number}": other for number, other in enumerate(beside)}
    fields = [*((field, str | list[str]) for field in others), ("inside", dict[str, value])]
    renamed = {**others, "inside": name}
    wrapped = msgspec.defstruct("wrapped", fields, rename=renamed, forbid_unknown_fields=True, gc=False)
    return msgspec.json.Decoder(wrapped).decode


def _nested(levels: int) -> Any:
    """The type of JSON with objects in objects, or in lists in them, up to so many levels, and no lists in lists."""
    value: Any = _SCALAR
    for _ in range(levels):
        item = _SCALAR | dict[str, value]
        value = item | list[item]  # type: ignore[valid-type]
    return value


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError(f"{digits} is out of range")
    return number


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")


_SCALAR: Any = str | int | float | bool | None
_ENCODER = JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_DECODER = JSONDecoder(parse_float=_finite, parse_constant=_refuse)

# What others call; `use_msgspec` puts its own in their place, so that no call is between.
encode: Callable[[Any], bytes] = _encode_with_json
"""The compact JSON of a value; raises TypeError for what JSON cannot hold."""
decode: Callable[[bytes | str], Any] = partial(_decode_with_json, levels=_DEEPEST)
"""The value of a JSON text; raises Rejected with the place of the first mistake, or for more than 300 levels.

How deep either library goes depends on who calls it: without a limit of ours, what was decoded and kept here could
not be decoded, walked or written there.
"""
received: Callable[[bytes | str], Any] = partial(_decode_with_json, levels=_DEEPEST_RECEIVED)
"""The value of a JSON text from outside, with 250 levels at most: on its way to a store it gets some round it."""
