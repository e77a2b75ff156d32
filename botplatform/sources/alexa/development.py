"""Signs requests as Alexa does, with a certificate of our own, for machines that Amazon cannot reach."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from botplatform.errors import StateUnavailable, Unauthorized

FILE_NAME = "alexa-development.pem"
ROOT_NAME = "botplatform development root"
SIGNER = "echo-api.amazon.com"
ROOT_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=365)
RENEWAL = timedelta(days=7)

_PRIVATE_KEY = re.compile(rb"-----BEGIN PRIVATE KEY-----.+?-----END PRIVATE KEY-----\n", re.DOTALL)


@dataclass(frozen=True)
class Authority:
    """A certificate authority of this machine alone, and one signing certificate it issued.

    Give `chain` and `roots` to a `Verifier`, and it accepts what `sign` signed, and nothing of Amazon's.
    """

    root: x509.Certificate
    leaf: x509.Certificate
    root_key: rsa.RSAPrivateKey
    leaf_key: rsa.RSAPrivateKey
    url: ClassVar[str] = "https://s3.amazonaws.com/echo.api/echo-api-cert-development.pem"

    @classmethod
    def open(cls, folder: Path, now: datetime) -> Authority:
        """The authority kept in that folder, in one file that only its owner may read, made where there is none.

        Its certificates are issued anew when less than a week is left of the leaf's year. The keys stay, so that a
        process which opened it before goes on verifying. `now` has a time zone. Raises `StateUnavailable`.
        """
        path = folder / FILE_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                _create(path, cls._issue(_new_key(), _new_key(), now)._to_pem())
            authority = cls._from_pem(path.read_bytes())
            if not authority._lasts(now):
                authority = cls._issue(authority.root_key, authority.leaf_key, now)
                _replace(path, authority._to_pem())
        except OSError as error:
            raise StateUnavailable(f"the development authority {path} cannot be opened: {error}") from error
        except ValueError as error:
            raise StateUnavailable(f"{path} holds no development authority: delete it to have one made") from error
        return authority

    @property
    def roots(self) -> tuple[x509.Certificate, ...]:
        """What a verifier has to trust."""
        return (self.root,)

    def chain(self, url: str) -> bytes:
        """The PEM chain, leaf first, at the one URL of this authority; raises `Unauthorized` for any other."""
        if url != self.url:
            raise Unauthorized(f"the development authority has no certificate chain at {url}, only at {self.url}")
        return _pem(self.leaf) + _pem(self.root)

    def sign(self, body: bytes) -> dict[str, str]:
        """The two headers with which Alexa would send exactly this body."""
        signature = self.leaf_key.sign(body, PKCS1v15(), SHA256())
        return {"SignatureCertChainUrl": self.url, "Signature-256": b64encode(signature).decode()}

    @classmethod
    def _issue(cls, root_key: rsa.RSAPrivateKey, leaf_key: rsa.RSAPrivateKey, now: datetime) -> Authority:
        return cls(
            root=issue(ROOT_NAME, root_key.public_key(), ROOT_NAME, root_key, now, now + ROOT_LIFE),
            leaf=issue(SIGNER, leaf_key.public_key(), ROOT_NAME, root_key, now, now + LEAF_LIFE, host=SIGNER),
            root_key=root_key,
            leaf_key=leaf_key,
        )

    @classmethod
    def _from_pem(cls, pem: bytes) -> Authority:
        root, leaf = x509.load_pem_x509_certificates(pem)
        root_key, leaf_key = (load_pem_private_key(key, password=None) for key in _PRIVATE_KEY.findall(pem))
        if not (isinstance(root_key, rsa.RSAPrivateKey) and isinstance(leaf_key, rsa.RSAPrivateKey)):
            raise ValueError("its keys are not RSA keys")
        return cls(root, leaf, root_key, leaf_key)

    def _to_pem(self) -> bytes:
        return _pem(self.root) + _pem(self.leaf) + _private_pem(self.root_key) + _private_pem(self.leaf_key)

    def _lasts(self, now: datetime) -> bool:
        return self.leaf.not_valid_before_utc <= now <= self.leaf.not_valid_after_utc - RENEWAL


def issue(
    subject: str,
    key: CertificatePublicKeyTypes,
    issuer: str,
    issuer_key: rsa.RSAPrivateKey,
    start: datetime,
    end: datetime,
    *,
    host: str | None = None,
) -> x509.Certificate:
    """A certificate for `key`, valid from `start` to `end`: a server's with a `host`, else an authority's."""
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = (
        x509.CertificateBuilder()
        .issuer_name(_name(issuer))
        .subject_name(_name(subject))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
        .add_extension(_key_usage(authority=host is None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(authority_key, critical=False)
    )
    if host is not None:
        server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        builder = builder.add_extension(server, critical=False)
    return builder.sign(issuer_key, SHA256())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _private_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _create(path: Path, content: bytes) -> None:
    """Write a file whole, unless another process was first."""
    written = _written_beside(path, content)
    with suppress(FileExistsError):
        os.link(written, path)
    written.unlink()


def _replace(path: Path, content: bytes) -> None:
    os.replace(_written_beside(path, content), path)


def _written_beside(path: Path, content: bytes) -> Path:
    # A temporary file is made with mode 0600, so the keys are never readable by others.
    with NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Path(file.name)
