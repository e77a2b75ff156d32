"""Makes malformed inputs of samples: bytes damaged, JSON given other types, keys twice, depths, sizes and encodings."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlencode

Change = Callable[[Random, bytes, Sequence[bytes]], bytes]

_GZIP = b"\x1f\x8b"
# What has made parsers fail elsewhere: bad UTF-8, half a surrogate pair, numbers without end, lines and NULs.
_PIECES = [
    *(b"", b"\0", b"\n", b"\r\n\r\n", b"%", b"%zz", b"&", b"=", b";", b"../", b"*", b"?", b"[", b"]", b"{", b"}", b'"'),
    *(b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xef\xbb\xbf", "\u2028\u202e\U0010ffff".encode()),
    *(b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-0", b"9" * 400, b"0.1e-400", b'"\\ud800"', b'"\\u0000"'),
    *(b"[" * 3000, b'{"a":' * 3000, b"A" * 9000, _GZIP),
]
_TEXTS = [
    *("", "\0", " ", "\n", "a" * 5000, "\ud800", "é\u202e", "٣", "../..", "/", "{x}", "*", "+/#", "@", "$", "%s"),
    *("-1", "1e9", "https://[", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "2026-02-30T25:61:00Z"),
]
_NUMBERS = [
    *(0, -1, 1.5, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**400),
    *(1e308, -1e-308, float("nan"), float("inf")),
]
_MEMBER = re.compile(rb'"[^"\\]*": ?')
_UNPACKED = 20 * 1024 * 1024


def mutated(random: Random, samples: Sequence[bytes]) -> bytes:
    """One of the samples, changed up to four times; what was gzipped mostly is again, and a few of the others are."""
    body = random.choice(samples)
    packed = body.startswith(_GZIP)
    body = gzip.decompress(body) if packed else body
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        body = random.choice(_CHANGES)(random, body, samples)
    return _packed(random, body) if random.random() < (0.9 if packed else 0.01) else body


def _packed(random: Random, body: bytes) -> bytes:
    """Gzipped, sometimes damaged then, sometimes a bomb."""
    if random.random() < 0.01:
        body = random.choice((b"[", b" ", b"\0")) * _UNPACKED
    packed = gzip.compress(body, 1, mtime=0)
    return _flip(random, packed, ()) if random.random() < 0.3 else packed


def _flip(random: Random, body: bytes, _: Sequence[bytes]) -> bytes:
    changed = bytearray(body)
    for _bit in range(random.randint(1, 4) if changed else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _cut_off(random: Random, body: bytes, _: Sequence[bytes]) -> bytes:
    place = random.randint(0, len(body))
    return random.choice((body[:place], body[place:]))


def _replace(random: Random, body: bytes, _: Sequence[bytes]) -> bytes:
    start, length = random.randint(0, len(body)), random.choice((0, 0, 1, 4, 40))
    return body[:start] + random.choice(_PIECES) + body[start + length :]


def _repeat(random: Random, body: bytes, _: Sequence[bytes]) -> bytes:
    start, end = sorted((random.randint(0, len(body)), random.randint(0, len(body))))
    return body[:end] + body[start:end] * random.choice((1, 1, 5)) + body[end:]


def _splice(random: Random, body: bytes, samples: Sequence[bytes]) -> bytes:
    other = random.choice(samples)
    return body[: random.randint(0, len(body))] + other[random.randint(0, len(other)) :]


def _twice(random: Random, body: bytes, _: Sequence[bytes]) -> bytes:
    """A member of a JSON object once more, with another value."""
    members = list(_MEMBER.finditer(body))
    if not members:
        return body
    found = random.choice(members)
    value = json.dumps(random.choice([*_TEXTS, *_NUMBERS])).encode()
    return body[: found.start()] + found[0] + value + b"," + body[found.start() :]


def _alter(random: Random, body: bytes, _: Sequence[bytes]) -> bytes:
    """A JSON value, wherever it is in the body, with something in it that is of another type, missing or elsewhere."""
    head, blank, text = body.rpartition(b"\n\n")
    alter = _altered_json if text.lstrip()[:1] in (b"{", b"[") else _altered_form
    return head + blank + alter(random, text)


def _altered_json(random: Random, text: bytes) -> bytes:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    try:
        return json.dumps(_altered(random, value), ensure_ascii=random.random() < 0.5).encode(errors="surrogatepass")
    except RecursionError:
        return text


def _altered_form(random: Random, text: bytes) -> bytes:
    form = dict(parse_qsl(text.decode(errors="replace"), keep_blank_values=True))
    if not form:
        return text
    name = random.choice(list(form))
    inner = form[name].encode(errors="replace")
    form[name] = _altered_json(random, inner).decode(errors="replace") if inner[:1] == b"{" else random.choice(_TEXTS)
    return urlencode(form, errors="replace").encode()


def _altered(random: Random, value: Any) -> Any:
    """A JSON value with one change, anywhere in it."""
    if not isinstance(value, dict | list) or not value or random.random() < 0.2:
        return _other(random, value)
    key = random.choice(list(value) if isinstance(value, dict) else range(len(value)))
    what = random.random()
    if what < 0.1:
        del value[key]
    elif what < 0.15 and isinstance(value, dict):
        value[random.choice(_TEXTS)] = value.pop(key)
    else:
        value[key] = _altered(random, value[key])
    return value


def _other(random: Random, value: Any) -> Any:
    """A value of another type, or the same one deeper, doubled or inside a text."""
    wrapped: list[Callable[[], Any]] = [
        lambda: random.choice(_TEXTS),
        lambda: random.choice(_NUMBERS),
        lambda: random.choice((None, True, False, [], {})),
        lambda: [value, value],
        lambda: {random.choice(_TEXTS): value},
        lambda: _deep(value, random.choice((2, 50, 400))),
        lambda: str(value),
        lambda: json.dumps(value),
    ]
    return random.choice(wrapped)()


def _deep(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value


# What keeps an input readable far into a parser comes more often.
_CHANGES: list[Change] = [*[_alter] * 6, _twice, _flip, _cut_off, *[_replace] * 2, _repeat, _splice]
