"""The development authority: what it signs the real verifier believes."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from cryptography import x509

from botplatform.errors import StateUnavailable, Unauthorized
from botplatform.sources.alexa.development import FILE_NAME, Authority
from botplatform.sources.alexa.signature import Verifier

NOW = datetime(2026, 6, 1, 12, 0, 0, 500_000, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of an authority opened at NOW: making keys takes long."""
    folder = tmp_path_factory.mktemp("authority")
    Authority.open(folder, NOW)
    return (folder / FILE_NAME).read_bytes()


@pytest.fixture
def folder(tmp_path: Path, made: bytes) -> Path:
    (tmp_path / FILE_NAME).write_bytes(made)
    return tmp_path


def body(now: datetime) -> bytes:
    return json.dumps({"request": {"type": "LaunchRequest", "timestamp": now.isoformat()}}).encode()


def test_the_verifier_accepts_what_the_authority_signed(folder: Path) -> None:
    authority = Authority.open(folder, NOW)
    Verifier((), authority.chain, authority.roots).verify(authority.sign(body(NOW)), body(NOW), NOW)


def test_amazons_roots_do_not_trust_the_authority(folder: Path) -> None:
    authority = Authority.open(folder, NOW)
    verifier = Verifier((), authority.chain)
    with pytest.raises(Unauthorized, match="does not lead to a trusted root"):
        verifier.verify(authority.sign(body(NOW)), body(NOW), NOW)


def test_another_machines_authority_is_not_trusted(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    ours, theirs = Authority.open(folder, NOW), Authority.open(tmp_path_factory.mktemp("other"), NOW)
    with pytest.raises(Unauthorized, match="does not lead to a trusted root"):
        Verifier((), theirs.chain, ours.roots).verify(theirs.sign(body(NOW)), body(NOW), NOW)


def test_the_authority_is_kept_in_one_file_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "alexa"
    made = Authority.open(folder, NOW)
    assert [file.name for file in folder.iterdir()] == [FILE_NAME]
    assert stat.S_IMODE((folder / FILE_NAME).stat().st_mode) == 0o600
    assert Authority.open(folder, NOW).chain(made.url) == made.chain(made.url)


def test_the_certificate_lasts_a_year_and_is_for_alexas_host(folder: Path) -> None:
    leaf = Authority.open(folder, NOW).leaf
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == 365 * DAY
    assert names.get_values_for_type(x509.DNSName) == ["echo-api.amazon.com"]


@pytest.mark.parametrize("days", [0, 100, 357])
def test_a_certificate_with_more_than_a_week_left_is_kept(days: int, folder: Path, made: bytes) -> None:
    Authority.open(folder, NOW + days * DAY)
    assert (folder / FILE_NAME).read_bytes() == made


@pytest.mark.parametrize("days", [358, 364, 366, 4000, -1])
def test_a_certificate_that_ends_soon_or_is_not_valid_is_renewed(days: int, folder: Path) -> None:
    now = NOW + days * DAY
    renewed = Authority.open(folder, now)
    Verifier((), renewed.chain, renewed.roots).verify(renewed.sign(body(now)), body(now), now)
    assert renewed.leaf.not_valid_after_utc == now.replace(microsecond=0) + 365 * DAY
    assert Authority.open(folder, now).leaf == renewed.leaf
    assert [stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()] == [0o600]


def test_a_verifier_opened_before_the_renewal_goes_on_verifying(folder: Path) -> None:
    before = Authority.open(folder, NOW)
    verifier = Verifier((), before.chain, before.roots)
    later = NOW + 360 * DAY
    after = Authority.open(folder, later)
    verifier.verify(after.sign(body(later)), body(later), later)
    Verifier((), after.chain, before.roots).verify(after.sign(body(later)), body(later), later)


def test_there_is_no_chain_at_another_url(folder: Path) -> None:
    authority = Authority.open(folder, NOW)
    with pytest.raises(Unauthorized, match=r"no certificate chain at https://s3\.amazonaws\.com/echo\.api/other\.pem"):
        authority.chain("https://s3.amazonaws.com/echo.api/other.pem")


def test_processes_that_open_a_missing_authority_at_once_get_the_same(tmp_path: Path) -> None:
    together = Barrier(4)

    def open_together(_: int) -> bytes:
        together.wait()
        authority = Authority.open(tmp_path, NOW)
        return authority.chain(authority.url)

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(open_together, range(4)))) == 1
    assert [file.name for file in tmp_path.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("kept", [0, 10, 1000, 3000, -100])
def test_a_damaged_file_is_reported_and_kept(kept: int, folder: Path, made: bytes) -> None:
    (folder / FILE_NAME).write_bytes(made[:kept])
    with pytest.raises(StateUnavailable, match=rf"{FILE_NAME} holds no development authority: delete it"):
        Authority.open(folder, NOW)
    assert (folder / FILE_NAME).read_bytes() == made[:kept]


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateUnavailable, match=r"cannot be opened: .*Not a directory"):
        Authority.open(tmp_path / "file" / "folder", NOW)
