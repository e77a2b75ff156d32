"""What a request has to be for us to believe that Alexa sent it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtensionOID
from hypothesis import given, settings
from hypothesis import strategies as st

from botplatform.errors import Unauthorized
from botplatform.sources.alexa.development import Authority, issue
from botplatform.sources.alexa.signature import Verifier

NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
OURS = "amzn1.ask.skill.ours"
THEIRS = "amzn1.ask.skill.theirs"
SIGNER = "echo-api.amazon.com"


def request(timestamp: datetime = NOW, skill: str = OURS, kind: str = "IntentRequest") -> dict[str, Any]:
    return {
        "version": "1.0",
        "session": {"application": {"applicationId": skill}},
        "context": {"System": {"application": {"applicationId": skill}}},
        "request": {"type": kind, "requestId": "amzn1.echo-api.request.1", "timestamp": timestamp.isoformat()},
    }


def encoded(document: object) -> bytes:
    return json.dumps(document).encode()


BODY = encoded(request())


class Bucket:
    """Holds one chain at every URL, and remembers which were asked for."""

    def __init__(self, chain: bytes) -> None:
        self.chain = chain
        self.asked: list[str] = []

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        return self.chain


@cache
def key(_owner: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def root(end: datetime = NOW + 3650 * DAY) -> x509.Certificate:
    return issue("root", key("root").public_key(), "root", key("root"), NOW - DAY, end)


def leaf(
    start: datetime = NOW - DAY, end: datetime = NOW + DAY, host: str | None = SIGNER, issuer: str = "root"
) -> x509.Certificate:
    return issue(SIGNER, key("authority").public_key(), issuer, key(issuer), start, end, host=host)


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority(root(), leaf(), key("root"), key("authority"))


@pytest.fixture(scope="module")
def verifier(authority: Authority) -> Verifier:
    return Verifier({OURS}, authority.chain, authority.roots)


@pytest.fixture
def bucket(authority: Authority) -> Bucket:
    return Bucket(authority.chain(authority.url))


@pytest.fixture
def refusal(authority: Authority) -> Callable[..., str]:
    """Why a signed request is refused; each argument replaces what would have been right."""

    def why(
        *,
        url: str = authority.url,
        chain: bytes = authority.chain(authority.url),
        body: bytes = BODY,
        now: datetime = NOW,
    ) -> str:
        verifier = Verifier({OURS}, lambda _: chain, authority.roots)
        headers = authority.sign(body) | {"SignatureCertChainUrl": url}
        with pytest.raises(Unauthorized) as refused:
            verifier.verify(headers, body, now)
        return refused.value.reason

    return why


# The headers


@pytest.mark.parametrize("spelled", [str, str.lower, str.upper])
def test_a_signed_request_passes_however_its_headers_are_spelled(
    spelled: Callable[[str], str], authority: Authority, verifier: Verifier
) -> None:
    headers = {spelled(name): value for name, value in authority.sign(BODY).items()}
    verifier.verify(headers, BODY, NOW)


@pytest.mark.parametrize("name", ["SignatureCertChainUrl", "Signature-256"])
def test_a_missing_header_is_named(name: str, authority: Authority, verifier: Verifier) -> None:
    headers = authority.sign(BODY)
    del headers[name]
    with pytest.raises(Unauthorized, match=f"^the header {name} is missing$"):
        verifier.verify(headers, BODY, NOW)


@pytest.mark.parametrize("signature", ["not base64!", "!YQ==", "YQ", "é"])
def test_a_signature_that_is_not_base64_is_refused(signature: str, authority: Authority, verifier: Verifier) -> None:
    headers = authority.sign(BODY) | {"Signature-256": signature}
    with pytest.raises(Unauthorized, match=r"^the header Signature-256 is not base64: "):
        verifier.verify(headers, BODY, NOW)


# The URL of the chain


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://s3.amazonaws.com/echo.api/echo-api-cert.pem", "/echo.api/echo-api-cert.pem"),
        ("HTTPS://S3.AmazonAWS.com/echo.api/echo-api-cert.pem", "/echo.api/echo-api-cert.pem"),
        ("https://s3.amazonaws.com:443/echo.api/echo-api-cert.pem", "/echo.api/echo-api-cert.pem"),
        ("https://s3.amazonaws.com/echo.api/../echo.api/echo-api-cert.pem", "/echo.api/echo-api-cert.pem"),
        ("https://s3.amazonaws.com/other/%2e%2e/echo.api/./echo-api-cert.pem", "/echo.api/echo-api-cert.pem"),
        ("https://user@s3.amazonaws.com/echo.api/echo-api-cert.pem?a=b#c", "/echo.api/echo-api-cert.pem"),
        ("https://s3.amazonaws.com/echo.api/a%20b.pem", "/echo.api/a%20b.pem"),
    ],
)
def test_every_spelling_of_a_url_leads_to_one_download(
    url: str, normal: str, authority: Authority, bucket: Bucket
) -> None:
    headers = authority.sign(BODY) | {"SignatureCertChainUrl": url}
    Verifier({OURS}, bucket, authority.roots).verify(headers, BODY, NOW)
    assert bucket.asked == [f"https://s3.amazonaws.com{normal}"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://s3.amazonaws.com/echo.api/cert.pem", "the scheme 'http', not https"),
        ("s3.amazonaws.com/echo.api/cert.pem", "the scheme '', not https"),
        ("", "the scheme '', not https"),
        ("https://amazon.example/echo.api/cert.pem", "the host 'amazon.example', not s3.amazonaws.com"),
        ("https://s3.amazonaws.com.example/echo.api/cert.pem", "the host 's3.amazonaws.com.example', not"),
        ("https://s3.amazonaws.com@example/echo.api/cert.pem", "the host 'example', not"),
        ("https:///echo.api/cert.pem", "the host None, not"),
        ("https://s3.amazonaws.com:563/echo.api/cert.pem", "the port 563, not 443"),
        ("https://s3.amazonaws.com:0/echo.api/cert.pem", "the port 0, not 443"),
        ("https://s3.amazonaws.com/EcHo.aPi/cert.pem", "the path '/EcHo.aPi/cert.pem', which is not in /echo.api/"),
        ("https://s3.amazonaws.com/invalid.path/cert.pem", "the path '/invalid.path/cert.pem', which"),
        ("https://s3.amazonaws.com/echo.api/../mine/cert.pem", "the path '/mine/cert.pem', which"),
        ("https://s3.amazonaws.com/echo.api/%2E%2E/mine/cert.pem", "the path '/mine/cert.pem', which"),
        ("https://s3.amazonaws.com//echo.api/cert.pem", "the path '//echo.api/cert.pem', which"),
        ("https://s3.amazonaws.com/echo.api.mine/cert.pem", "the path '/echo.api.mine/cert.pem', which"),
        ("https://s3.amazonaws.com/echo.api/", "the path '/echo.api', which"),
    ],
)
def test_a_url_that_is_not_amazons_is_refused(url: str, reason: str, refusal: Callable[..., str]) -> None:
    assert refusal(url=url).startswith(f"the certificate chain's URL has {reason}")


@pytest.mark.parametrize("url", ["https://[::1/echo.api/", "https://s3.amazonaws.com:x/echo.api/c", "https://h/\udc80"])
def test_a_url_that_is_none_is_refused(url: str, refusal: Callable[..., str]) -> None:
    assert refusal(url=url).startswith("the certificate chain's URL cannot be read: ")


def test_nothing_is_downloaded_for_a_request_without_amazons_url(authority: Authority, bucket: Bucket) -> None:
    headers = authority.sign(BODY) | {"SignatureCertChainUrl": "https://example.com/echo.api/cert.pem"}
    with pytest.raises(Unauthorized, match="has the host"):
        Verifier({OURS}, bucket, authority.roots).verify(headers, BODY, NOW)
    assert bucket.asked == []


# The chain


def test_a_chain_with_an_intermediate_certificate_passes(authority: Authority) -> None:
    between = issue("between", key("between").public_key(), "root", key("root"), NOW - DAY, NOW + DAY)
    bucket = Bucket(pem(leaf(issuer="between"), between))
    Verifier({OURS}, bucket, authority.roots).verify(authority.sign(BODY), BODY, NOW)


def test_a_chain_without_its_intermediate_certificate_is_not_trusted(refusal: Callable[..., str]) -> None:
    reason = refusal(chain=pem(leaf(issuer="between"), root()))
    assert reason.startswith("the certificate chain does not lead to a trusted root: ")


def test_a_chain_to_another_root_is_not_trusted(refusal: Callable[..., str]) -> None:
    stranger = issue("root", key("stranger").public_key(), "root", key("stranger"), NOW - DAY, NOW + DAY)
    forged = issue(SIGNER, key("authority").public_key(), "root", key("stranger"), NOW - DAY, NOW + DAY, host=SIGNER)
    assert refusal(chain=pem(forged, stranger)).startswith("the certificate chain does not lead to a trusted root: ")


def test_a_chain_that_does_not_begin_with_the_signer_is_refused(refusal: Callable[..., str]) -> None:
    assert refusal(chain=pem(root(), leaf())) == "the chain's first certificate is for no host, not for " + SIGNER


@pytest.mark.parametrize("host", ["api.amazon.com", "*.amazon.com", "echo-api.amazon.com.example"])
def test_a_certificate_for_another_host_is_refused(host: str, refusal: Callable[..., str]) -> None:
    assert refusal(chain=pem(leaf(host=host))) == f"the chain's first certificate is for {host}, not for {SIGNER}"


def naming(names: bytes, times: int = 1) -> x509.Certificate:
    """A certificate with that DER in its extension of alternative names, or in two such extensions."""
    builder = (
        x509.CertificateBuilder()
        .issuer_name(root().subject)
        .subject_name(root().subject)
        .public_key(key("authority").public_key())
        .serial_number(1)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
    )
    for oid in (ExtensionOID.SUBJECT_ALTERNATIVE_NAME, ExtensionOID.ISSUER_ALTERNATIVE_NAME)[:times]:
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, names), critical=False)
    der = builder.sign(key("root"), SHA256()).public_bytes(Encoding.DER)
    # The builder refuses to repeat an extension: these are the two OIDs as bytes.
    return x509.load_der_x509_certificate(der.replace(b"\x55\x1d\x12", b"\x55\x1d\x11"))


@pytest.mark.parametrize(
    ("names", "times"),
    [(b"no DER", 1), (b"\x30\x02\xa5\x00", 1), (b"\x30\x00", 2)],
    ids=["malformed", "of an unknown kind", "twice"],
)
def test_a_certificate_whose_hosts_cannot_be_read_is_refused(
    names: bytes, times: int, refusal: Callable[..., str]
) -> None:
    assert refusal(chain=pem(naming(names, times))).startswith("the chain's first certificate is for no host, not for")


def test_an_expired_certificate_is_refused(refusal: Callable[..., str]) -> None:
    reason = refusal(chain=pem(leaf(end=NOW - timedelta(seconds=1))))
    assert reason == "the certificate expired at 2026-06-01T11:59:59+00:00, and it is 2026-06-01T12:00:00+00:00"


def test_a_certificate_that_is_not_valid_yet_is_refused(refusal: Callable[..., str]) -> None:
    reason = refusal(chain=pem(leaf(start=NOW + timedelta(seconds=1))))
    assert reason.startswith(
        "the certificate is not valid before 2026-06-01T12:00:01+00:00, and it is 2026-06-01T12:00"
    )


def test_an_expired_intermediate_certificate_is_not_trusted(refusal: Callable[..., str]) -> None:
    between = issue("between", key("between").public_key(), "root", key("root"), NOW - 2 * DAY, NOW - DAY)
    assert refusal(chain=pem(leaf(issuer="between"), between)).startswith("the certificate chain does not lead to")


def test_a_certificate_without_an_rsa_key_is_refused(refusal: Callable[..., str]) -> None:
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    chain = pem(issue(SIGNER, curve, "root", key("root"), NOW - DAY, NOW + DAY, host=SIGNER))
    assert refusal(chain=chain) == "the certificate's key is not an RSA key"


def private_key() -> bytes:
    return key("root").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    "chain", [b"", b"<html>", pem(leaf())[:200], private_key()], ids=["empty", "html", "cut", "key"]
)
def test_what_is_no_chain_is_refused(chain: bytes, refusal: Callable[..., str]) -> None:
    assert refusal(chain=chain).startswith("the certificate chain cannot be read: ")


def test_a_chain_that_cannot_be_had_is_refused_with_its_reason(authority: Authority) -> None:
    headers = authority.sign(BODY) | {"SignatureCertChainUrl": "https://s3.amazonaws.com/echo.api/echo-api-cert-99.pem"}
    with pytest.raises(
        Unauthorized, match=r"has no certificate chain at https://s3\.amazonaws\.com/echo\.api/echo-api-cert-99"
    ):
        Verifier({OURS}, authority.chain, authority.roots).verify(headers, BODY, NOW)


# The signature


def test_a_body_changed_in_any_one_byte_is_refused(authority: Authority, verifier: Verifier) -> None:
    headers = authority.sign(BODY)
    for place in range(len(BODY)):
        changed = bytearray(BODY)
        changed[place] ^= 1
        with pytest.raises(Unauthorized, match=r"^the signature in Signature-256 does not fit the body$"):
            verifier.verify(headers, bytes(changed), NOW)


def test_a_signature_by_another_key_is_refused(authority: Authority, verifier: Verifier) -> None:
    stranger = Authority(authority.root, authority.leaf, key("root"), key("stranger"))
    with pytest.raises(Unauthorized, match="does not fit the body"):
        verifier.verify(stranger.sign(BODY), BODY, NOW)


# The body


@pytest.mark.parametrize("body", [b"", b"\xff\xff", b"{", b"[" * 200_000], ids=["empty", "binary", "cut", "deep"])
def test_a_body_that_is_not_json_is_refused(body: bytes, refusal: Callable[..., str]) -> None:
    assert refusal(body=body).startswith("the body is not JSON: ")


@pytest.mark.parametrize("seconds", [-150, 0, 150])
def test_a_request_within_the_tolerance_passes(seconds: int, authority: Authority, verifier: Verifier) -> None:
    body = encoded(request(timestamp=NOW + timedelta(seconds=seconds)))
    verifier.verify(authority.sign(body), body, NOW)


@pytest.mark.parametrize(("seconds", "shown"), [(-151, "11:57:29"), (151, "12:02:31")])
def test_a_stale_or_future_request_is_refused_with_both_times(
    seconds: int, shown: str, refusal: Callable[..., str]
) -> None:
    assert refusal(body=encoded(request(timestamp=NOW + timedelta(seconds=seconds)))) == (
        f"the request's timestamp 2026-06-01T{shown}+00:00 is not within 150 s before and 150 s after the time here, "
        "2026-06-01T12:00:00+00:00"
    )


def test_a_replayed_request_is_refused_once_its_time_is_over(authority: Authority, verifier: Verifier) -> None:
    headers = authority.sign(BODY)
    verifier.verify(headers, BODY, NOW)
    with pytest.raises(Unauthorized, match="timestamp"):
        verifier.verify(headers, BODY, NOW + timedelta(seconds=151))


def test_a_skill_event_may_be_an_hour_old(authority: Authority, verifier: Verifier) -> None:
    body = encoded(request(timestamp=NOW - timedelta(hours=1), kind="AlexaSkillEvent.SkillDisabled"))
    verifier.verify(authority.sign(body), body, NOW)


@pytest.mark.parametrize("seconds", [-3601, 151])
def test_a_skill_event_is_refused_when_older_or_from_the_future(seconds: int, refusal: Callable[..., str]) -> None:
    body = encoded(request(timestamp=NOW + timedelta(seconds=seconds), kind="AlexaSkillEvent.SkillDisabled"))
    assert "is not within 3600 s before and 150 s after" in refusal(body=body)


@pytest.mark.parametrize(
    ("timestamp", "reason"),
    [
        (None, "the request has no timestamp"),
        (1780315200, "the request has no timestamp"),
        ("yesterday", "the request's timestamp 'yesterday' is not an ISO 8601 time"),
        ("\ud800", "the request's timestamp '\\ud800' is not an ISO 8601 time"),
        ("2026-06-01T12:00:00", "the request's timestamp '2026-06-01T12:00:00' has no time zone"),
    ],
)
def test_a_request_whose_timestamp_is_no_time_is_refused(
    timestamp: object, reason: str, refusal: Callable[..., str]
) -> None:
    assert refusal(body=encoded(request() | {"request": {"timestamp": timestamp}})) == reason


@pytest.mark.parametrize("document", [[], None, 1, "text", {}, {"request": []}])
def test_json_that_is_no_request_is_refused(document: object, refusal: Callable[..., str]) -> None:
    assert refusal(body=encoded(document)) == "the request has no timestamp"


@pytest.mark.parametrize("place", ["session", "context"])
def test_the_application_id_may_stand_in_one_place_alone(place: str, authority: Authority, verifier: Verifier) -> None:
    document = request()
    del document[place]
    verifier.verify(authority.sign(encoded(document)), encoded(document), NOW)


@pytest.mark.parametrize("place", ["session", "context"])
def test_a_request_for_another_skill_is_refused(place: str, refusal: Callable[..., str]) -> None:
    document = request() | {place: request(skill=THEIRS)[place]}
    reason = refusal(body=encoded(document))
    assert reason == "the request is for another skill, with the application id 'amzn1.ask.skill.theirs'"


@pytest.mark.parametrize("session", [{}, [], {"application": {"applicationId": [OURS]}}])
def test_a_request_without_an_application_id_is_refused(session: object, refusal: Callable[..., str]) -> None:
    document = request() | {"session": session, "context": None}
    assert refusal(body=encoded(document)) == "the request names no application id"


def test_every_skill_passes_where_none_is_named(authority: Authority) -> None:
    body = encoded(request(skill=THEIRS))
    Verifier((), authority.chain, authority.roots).verify(authority.sign(body), body, NOW)


# The cache


def test_a_second_request_downloads_nothing(authority: Authority, bucket: Bucket) -> None:
    verifier = Verifier({OURS}, bucket, authority.roots)
    for _ in range(3):
        verifier.verify(authority.sign(BODY), BODY, NOW)
    assert bucket.asked == [authority.url]


def test_a_chain_that_was_refused_is_downloaded_again(authority: Authority, bucket: Bucket) -> None:
    verifier = Verifier({OURS}, bucket, authority.roots)
    good, bucket.chain = bucket.chain, pem(leaf(host="example.com"))
    with pytest.raises(Unauthorized, match=r"for example\.com"):
        verifier.verify(authority.sign(BODY), BODY, NOW)
    bucket.chain = good
    verifier.verify(authority.sign(BODY), BODY, NOW)
    assert bucket.asked == [authority.url] * 2


def test_an_expired_certificate_is_downloaded_anew(authority: Authority, bucket: Bucket) -> None:
    verifier = Verifier({OURS}, bucket, authority.roots)
    verifier.verify(authority.sign(BODY), BODY, NOW)
    later = NOW + 2 * DAY
    body = encoded(request(timestamp=later))
    bucket.chain = pem(leaf(end=NOW + 3 * DAY))
    verifier.verify(authority.sign(body), body, later)
    assert bucket.asked == [authority.url] * 2


def test_a_key_is_not_used_longer_than_its_whole_chain_is_valid(authority: Authority) -> None:
    bucket = Bucket(pem(leaf(end=NOW + 9 * DAY)))
    verifier = Verifier({OURS}, bucket, [root(end=NOW + DAY)])
    verifier.verify(authority.sign(BODY), BODY, NOW)
    with pytest.raises(Unauthorized, match="does not lead to a trusted root"):
        verifier.verify(authority.sign(BODY), BODY, NOW + 2 * DAY)


def test_sixteen_keys_are_kept_and_the_oldest_makes_room(authority: Authority, bucket: Bucket) -> None:
    verifier = Verifier({OURS}, bucket, authority.roots)
    signed = authority.sign(BODY)
    urls = [f"https://s3.amazonaws.com/echo.api/echo-api-cert-{number}.pem" for number in range(17)]
    for url in [*urls, *urls[1:], urls[0]]:
        verifier.verify(signed | {"SignatureCertChainUrl": url}, BODY, NOW)
    assert bucket.asked == [*urls, urls[0]]


def test_many_threads_verify_at_once(authority: Authority, bucket: Bucket) -> None:
    verifier = Verifier({OURS}, bucket, authority.roots)
    signed = authority.sign(BODY)

    def verify(number: int) -> None:
        url = f"https://s3.amazonaws.com/echo.api/echo-api-cert-{number % 20}.pem"
        verifier.verify(signed | {"SignatureCertChainUrl": url}, BODY, NOW)

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(verify, range(2000))) == [None] * 2000


def test_a_slow_download_does_not_hold_up_requests_whose_key_is_known(authority: Authority) -> None:
    slow = {"SignatureCertChainUrl": "https://s3.amazonaws.com/echo.api/slow.pem"}
    asked, others_done = Event(), Event()

    def chains(url: str) -> bytes:
        if url == slow["SignatureCertChainUrl"]:
            asked.set()
            assert others_done.wait(10), "the other request had to wait"
        return authority.chain(authority.url)

    verifier = Verifier({OURS}, chains, authority.roots)
    signed = authority.sign(BODY)
    verifier.verify(signed, BODY, NOW)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(verifier.verify, signed | slow, BODY, NOW)
        assert asked.wait(10)
        verifier.verify(signed, BODY, NOW)
        others_done.set()
        waiting.result()


# Whatever may come

texts = st.text(st.characters(codec=None))
urls = st.one_of(texts, texts.map("https://s3.amazonaws.com/echo.api/{}".format), texts.map("https://{}".format))
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.datetimes().map(str)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
requests = st.fixed_dictionaries(
    {
        "request": json_values
        | st.fixed_dictionaries({}, optional={"timestamp": json_values | st.just(NOW.isoformat()), "type": json_values})
    },
    optional={
        "session": json_values | st.fixed_dictionaries({"application": json_values}),
        "context": json_values | st.fixed_dictionaries({"System": json_values}),
    },
)


@settings(deadline=None)
@given(
    headers=st.fixed_dictionaries(
        {},
        optional={
            "signaturecertchainurl": urls,
            "SIGNATURE-256": texts | st.binary().map(lambda raw: b64encode(raw).decode()),
        },
    ),
    others=st.dictionaries(texts, texts),
    body=st.binary(),
)
def test_unsigned_requests_only_ever_raise_unauthorized(
    headers: dict[str, str], others: dict[str, str], body: bytes, authority: Authority
) -> None:
    verifier = Verifier((), lambda _: authority.chain(authority.url), authority.roots)
    with pytest.raises(Unauthorized):
        verifier.verify(others | headers, body, NOW)


@settings(deadline=None)
@given(body=st.binary() | requests.map(encoded) | json_values.map(encoded))
def test_signed_nonsense_only_ever_raises_unauthorized(body: bytes, authority: Authority, verifier: Verifier) -> None:
    with pytest.raises(Unauthorized):
        verifier.verify(authority.sign(body), body, NOW)


# What Amazon really sent


def amazons(chain: Path, now: datetime, roots: list[x509.Certificate] | None = None) -> str:
    """Why a request with that chain is refused at that time, with the signature of nobody."""
    headers = {
        "SignatureCertChainUrl": f"https://s3.amazonaws.com/echo.api/{chain.name}",
        "Signature-256": b64encode(bytes(256)).decode(),
    }
    with pytest.raises(Unauthorized) as refused:
        Verifier({OURS}, lambda _: chain.read_bytes(), roots).verify(headers, BODY, now)
    return refused.value.reason


@pytest.mark.parametrize(
    ("name", "then"),
    [
        ("echo-api-cert-7.pem", datetime(2019, 6, 1, tzinfo=UTC)),
        ("echo-api-cert-12.pem", datetime(2023, 4, 1, tzinfo=UTC)),
        ("echo-api-cert-12.pem", datetime(2023, 4, 1, tzinfo=UTC).astimezone()),
    ],
)
def test_amazons_chains_were_trusted_in_their_time(name: str, then: datetime, shared_data: Path) -> None:
    reason = amazons(shared_data / "alexa/cert-chains" / name, then)
    assert reason == "the signature in Signature-256 does not fit the body"


@pytest.mark.parametrize("name", ["cert-expired.pem", "echo-api-cert-7.pem", "echo-api-cert-12.pem"])
def test_amazons_chains_are_expired_today(name: str, shared_data: Path) -> None:
    assert amazons(shared_data / "alexa/cert-chains" / name, NOW).startswith("the certificate expired at 20")


@pytest.mark.parametrize("name", ["echo-api-cert-7.pem", "echo-api-cert-12.pem"])
def test_amazons_chains_are_not_trusted_by_another_root(name: str, shared_data: Path) -> None:
    chain = shared_data / "alexa/cert-chains" / name
    start = x509.load_pem_x509_certificate(chain.read_bytes()).not_valid_before_utc
    assert amazons(chain, start, [root()]).startswith("the certificate chain does not lead to a trusted root: ")


@pytest.mark.parametrize(
    ("chain", "then"),
    [
        ("cert-chains/cert-expired.pem", datetime(2015, 3, 1, tzinfo=UTC)),
        ("signed-request/echo-api-cert-5.pem", datetime(2017, 11, 20, tzinfo=UTC)),
    ],
)
def test_a_chain_whose_root_is_no_longer_trusted_is_refused(chain: str, then: datetime, shared_data: Path) -> None:
    reason = amazons(shared_data / "alexa" / chain, then)
    assert reason.startswith("the certificate chain does not lead to a trusted root: ")


def test_a_root_that_is_given_replaces_the_public_ones(shared_data: Path) -> None:
    chain = shared_data / "alexa/signed-request/echo-api-cert-5.pem"
    roots = x509.load_pem_x509_certificates(chain.read_bytes())[-1:]
    reason = amazons(chain, datetime(2017, 11, 20, tzinfo=UTC), roots)
    assert reason == "the signature in Signature-256 does not fit the body"


def test_the_old_sha1_signature_is_not_enough(shared_data: Path) -> None:
    folder = shared_data / "alexa/signed-request"
    headers = {
        "SignatureCertChainUrl": "https://s3.amazonaws.com/echo.api/echo-api-cert-5.pem",
        "Signature": (folder / "request1.signature-sha1.b64").read_text().strip(),
    }
    verifier = Verifier((), lambda _: (folder / "echo-api-cert-5.pem").read_bytes())
    with pytest.raises(Unauthorized, match=r"^the header Signature-256 is missing$"):
        verifier.verify(
            headers, (folder / "request1.body.json").read_bytes(), datetime(2017, 11, 20, 8, 45, 5, tzinfo=UTC)
        )


def test_a_sha1_signature_does_not_pass_for_the_new_one(shared_data: Path) -> None:
    folder = shared_data / "alexa/signed-request"
    chain = (folder / "echo-api-cert-5.pem").read_bytes()
    headers = {
        "SignatureCertChainUrl": "https://s3.amazonaws.com/echo.api/echo-api-cert-5.pem",
        "Signature-256": (folder / "request1.signature-sha1.b64").read_text().strip(),
    }
    verifier = Verifier((), lambda _: chain, x509.load_pem_x509_certificates(chain)[-1:])
    with pytest.raises(Unauthorized, match="does not fit the body"):
        verifier.verify(
            headers, (folder / "request1.body.json").read_bytes(), datetime(2017, 11, 20, 8, 45, 5, tzinfo=UTC)
        )
