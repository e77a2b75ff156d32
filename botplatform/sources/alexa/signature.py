"""Verifies that an HTTP request was made by Alexa, just now and for one of our skills.

The rules are Amazon's: Alexa Skills Kit, "Host a Custom Skill as a Web Service".
"""

from __future__ import annotations

import json
import re
import warnings
from base64 import b64decode
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from posixpath import normpath
from threading import Lock
from urllib.parse import quote, unquote, urlsplit

import certifi
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from botplatform.errors import Unauthorized

CHAIN_URL_HEADER = "SignatureCertChainUrl"
SIGNATURE_HEADER = "Signature-256"
CHAIN_HOST = "s3.amazonaws.com"
CHAIN_FOLDER = "/echo.api/"
SIGNER = "echo-api.amazon.com"
TOLERANCE = timedelta(seconds=150)
SKILL_EVENT_AGE = timedelta(hours=1)
CACHE_SIZE = 16

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True)
class _SigningKey:
    public_key: RSAPublicKey
    expires: datetime


class Verifier:
    """Tells Alexa's requests from everybody else's; one instance serves any number of threads.

    `skill_ids`: the application ids of our skills. Empty means that the id is not checked, which is for the
    development authority alone: everybody's skills are signed with Amazon's one key.
    `chains`: gives the PEM certificate chain, leaf first, that lies at a URL; raises `Unauthorized` where it cannot.
    `roots`: the certificates to trust, by default those of certifi, loaded at first use.

    The key of a chain that was trusted is kept until a certificate of that chain expires, for 16 URLs at most.
    """

    def __init__(
        self,
        skill_ids: Collection[str],
        chains: Callable[[str], bytes],
        roots: Sequence[x509.Certificate] | None = None,
    ) -> None:
        self._skill_ids = frozenset(skill_ids)
        self._chains = chains
        self._store = None if roots is None else Store(list(roots))
        self._keys: dict[str, _SigningKey] = {}
        self._lock = Lock()

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        """Return if the request is Alexa's, and raise `Unauthorized` with the cause if it is not.

        `headers` are those of the request, their names in any case; `body` is its exact bytes; `now` has a time zone.
        The body is parsed only once its signature is known to be good.
        """
        url = _chain_url(_header(headers, CHAIN_URL_HEADER))
        signature = _decoded(_header(headers, SIGNATURE_HEADER))
        _check_signature(self._public_key(url, now), signature, body)
        document = _parsed(body)
        _check_timestamp(document, now)
        if self._skill_ids:
            _check_skill(document, self._skill_ids)

    def _public_key(self, url: str, now: datetime) -> RSAPublicKey:
        with self._lock:
            known = self._keys.get(url)
        if known is None or now > known.expires:
            # Outside the lock: a slow download must not hold up the requests whose key is known.
            known = self._download(url, now)
            self._remember(url, known)
        return known.public_key

    def _download(self, url: str, now: datetime) -> _SigningKey:
        leaf, *others = _certificates(self._chains(url))
        _check_leaf(leaf, now)
        policy = PolicyBuilder().store(self._trusted()).time(now)
        try:
            chain = policy.build_server_verifier(x509.DNSName(SIGNER)).verify(leaf, others)
        except VerificationError as error:
            raise Unauthorized(f"the certificate chain does not lead to a trusted root: {error}") from error
        return _SigningKey(_rsa_key(leaf), min(certificate.not_valid_after_utc for certificate in chain))

    def _trusted(self) -> Store:
        with self._lock:
            if self._store is None:
                self._store = Store(_public_roots())
            return self._store

    def _remember(self, url: str, key: _SigningKey) -> None:
        with self._lock:
            if len(self._keys) == CACHE_SIZE:
                del self._keys[next(iter(self._keys))]
            self._keys[url] = key


def _header(headers: Mapping[str, str], name: str) -> str:
    for key, value in headers.items():
        if key.lower() == name.lower():
            return value
    raise Unauthorized(f"the header {name} is missing")


def _chain_url(url: str) -> str:
    """The URL in its one normal form, so that no two spellings of it are downloaded and kept.

    A user, a query and a fragment, of which Amazon's rules say nothing, are dropped.
    """
    try:
        parts = urlsplit(url)
        port, path = parts.port, normpath(unquote(parts.path))
        normal = f"https://{CHAIN_HOST}{quote(path)}"
    except ValueError as error:
        raise Unauthorized(f"the certificate chain's URL cannot be read: {error}") from error
    if parts.scheme != "https":
        raise Unauthorized(f"the certificate chain's URL has the scheme {parts.scheme!r}, not https")
    if parts.hostname != CHAIN_HOST:
        raise Unauthorized(f"the certificate chain's URL has the host {parts.hostname!r}, not {CHAIN_HOST}")
    if port not in (None, 443):
        raise Unauthorized(f"the certificate chain's URL has the port {port}, not 443")
    if not path.startswith(CHAIN_FOLDER):
        raise Unauthorized(f"the certificate chain's URL has the path {path!r}, which is not in {CHAIN_FOLDER}")
    return normal


def _decoded(signature: str) -> bytes:
    try:
        return b64decode(signature, validate=True)
    except ValueError as error:
        raise Unauthorized(f"the header {SIGNATURE_HEADER} is not base64: {error}") from error


def _certificates(pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise Unauthorized(f"the certificate chain cannot be read: {error}") from error


def _check_leaf(leaf: x509.Certificate, now: datetime) -> None:
    """What Amazon asks of the first certificate; the chain's own check would find it too, but say it less clearly."""
    start, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if now < start:
        raise Unauthorized(f"the certificate is not valid before {start.isoformat()}, and it is {now.isoformat()}")
    if now > end:
        raise Unauthorized(f"the certificate expired at {end.isoformat()}, and it is {now.isoformat()}")
    hosts = _hosts(leaf)
    if SIGNER not in hosts:
        raise Unauthorized(f"the chain's first certificate is for {', '.join(hosts) or 'no host'}, not for {SIGNER}")


def _hosts(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return []
    return names.get_values_for_type(x509.DNSName)


def _rsa_key(leaf: x509.Certificate) -> RSAPublicKey:
    key = leaf.public_key()
    if not isinstance(key, RSAPublicKey):
        raise Unauthorized("the certificate's key is not an RSA key")
    return key


def _public_roots() -> list[x509.Certificate]:
    """Mozilla's roots as certifi ships them, without any that cryptography refuses to load."""
    roots = []
    # Six have the serial number 0, Amazon's old Starfield root among them; cryptography warns that it will refuse them.
    with warnings.catch_warnings(action="ignore", category=CryptographyDeprecationWarning):
        for pem in _PEM.findall(certifi.contents()):
            with suppress(ValueError):
                roots.append(x509.load_pem_x509_certificate(pem.encode()))
    return roots


def _check_signature(key: RSAPublicKey, signature: bytes, body: bytes) -> None:
    try:
        key.verify(signature, body, PKCS1v15(), SHA256())
    except InvalidSignature:
        raise Unauthorized(f"the signature in {SIGNATURE_HEADER} does not fit the body") from None


def _parsed(body: bytes) -> object:
    try:
        document: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unauthorized(f"the body is not JSON: {error}") from error
    return document


def _check_timestamp(document: object, now: datetime) -> None:
    made = _moment(_text(document, "request", "timestamp"))
    kind = _text(document, "request", "type") or ""
    oldest = SKILL_EVENT_AGE if kind.startswith("AlexaSkillEvent.") else TOLERANCE
    if not -TOLERANCE <= now - made <= oldest:
        raise Unauthorized(
            f"the request's timestamp {made.isoformat()} is not within {oldest.seconds} s before "
            f"and {TOLERANCE.seconds} s after the time here, {now.isoformat()}"
        )


def _moment(timestamp: str | None) -> datetime:
    if timestamp is None:
        raise Unauthorized("the request has no timestamp")
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError as error:
        raise Unauthorized(f"the request's timestamp {timestamp!r} is not an ISO 8601 time") from error
    if moment.tzinfo is None:
        raise Unauthorized(f"the request's timestamp {timestamp!r} has no time zone")
    return moment


def _check_skill(document: object, skill_ids: frozenset[str]) -> None:
    # Skill events have no session, and the oldest requests no context: where both name an id, both have to be ours.
    places = (("session",), ("context", "System"))
    named = [_text(document, *place, "application", "applicationId") for place in places]
    found = [skill_id for skill_id in named if skill_id is not None]
    if not found:
        raise Unauthorized("the request names no application id")
    for skill_id in found:
        if skill_id not in skill_ids:
            raise Unauthorized(f"the request is for another skill, with the application id {skill_id!r}")


def _text(document: object, *path: str) -> str | None:
    """The text at that path of the document, None where there is nothing or something else."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, str) else None
