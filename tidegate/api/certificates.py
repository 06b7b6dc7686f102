"""The installation's own certificate authority, and the certificates it signs for API and gateway.

Files in ``folder`` (mode 0700)::

    ca-key.pem      0600  EC P-256; made once, never replaced
    ca.pem          0644  10 years; signed anew with the same key in its last year, so trust in the old one holds
    NAME-key.pem    0600  made once
    NAME.pem        0644  replaced when names change, a third of its life is left, or it does not fit key or CA

A key is always on disk before the certificate that names it, every file is replaced by rename, and what does not
fit together is signed again: so a process killed between any two steps is put right by the next call.

Checked by OpenSSL with VERIFY_X509_STRICT (default of ``ssl.create_default_context`` since Python 3.13: key usage
and key identifiers must be there; docs.python.org/3/library/ssl.html, seen 2026-11), Go and Java.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFE = timedelta(days=3650)
CA_RENEWED_WITHIN = timedelta(days=365)
LEAF_LIFE = timedelta(days=365)
LEAF_RENEWED_AT = 1 / 3
_BACKDATED = timedelta(hours=1)
"""Guests and containers with a clock a little behind must not find the certificate "not yet valid"."""


class CertificateError(Exception):
    """A key or certificate cannot be read or written; the message says which file and what to do."""


@dataclass(frozen=True, slots=True)
class CaFiles:
    certificate_path: Path
    key_path: Path


def ensure_ca(folder: Path, now: datetime | None = None) -> CaFiles:
    """Load the CA in ``folder``, or make it.  Raises :class:`CertificateError`."""
    moment = now or datetime.now(UTC)
    files = CaFiles(folder / "ca.pem", folder / "ca-key.pem")
    with _folder_locked(folder):
        if files.certificate_path.exists() and not files.key_path.exists():
            raise CertificateError(
                f"{files.key_path} is missing but {files.certificate_path} is there (our side): restore the key, or "
                f"remove the certificate too; then a new CA is made and clients must trust it anew."
            )
        key = _ensure_key(files.key_path)
        current = _load_certificate(files.certificate_path)
        if current is None or not _is_good_ca(current, key, moment):
            _write(files.certificate_path, _sign_ca(key, current, moment), 0o644)
    return files


def ensure_certificate(
    folder: Path,
    ca: CaFiles,
    name: str,
    sans: Iterable[str],
    *,
    life: timedelta = LEAF_LIFE,
    now: datetime | None = None,
) -> tuple[Path, Path]:
    """Have a server certificate for ``sans`` (DNS names, wildcards, IP addresses) as NAME.pem and NAME-key.pem.

    Returns (certificate path, key path), which always fit each other.  Nothing is written while the certificate
    holds the same names and more than a third of its life is left.
    """
    moment = now or datetime.now(UTC)
    names = parse_sans(sans)
    certificate_path, key_path = folder / f"{name}.pem", folder / f"{name}-key.pem"
    with _folder_locked(folder):
        ca_certificate = _require_certificate(ca.certificate_path)
        key = _ensure_key(key_path)
        current = _load_certificate(certificate_path)
        if current is None or not _is_good_leaf(current, key, ca_certificate, names, moment):
            ca_key = _load_key(ca.key_path)
            leaf = _sign_leaf(name, key, names, ca_certificate, ca_key, moment, life)
            _write(certificate_path, leaf, 0o644)
    return certificate_path, key_path


def parse_sans(sans: Iterable[str]) -> tuple[x509.GeneralName, ...]:
    """Sorted, without repetition; addresses become IP entries.  Raises :class:`CertificateError` if empty or bad."""
    names: dict[str, x509.GeneralName] = {}
    for san in sans:
        text = san.strip().strip("[]").rstrip(".").lower()
        try:
            names[text] = x509.IPAddress(ipaddress.ip_address(text))
        except ValueError:
            names[text] = _dns_name(text)
    if not names:
        raise CertificateError("A certificate needs at least one name (our side): give its DNS names or addresses.")
    return tuple(names[text] for text in sorted(names))


def _dns_name(text: str) -> x509.DNSName:
    labels = text.removeprefix("*.").split(".")
    good = all(0 < len(label) <= 63 and label.isascii() and "*" not in label for label in labels)
    if not good or len(text) > 253:
        raise CertificateError(f"{text!r} is neither a DNS name nor an address (our side): correct the listen setting.")
    return x509.DNSName(text)


# -- what is still good ----------------------------------------------------------------------------------


def _is_good_ca(current: x509.Certificate, key: ec.EllipticCurvePrivateKey, now: datetime) -> bool:
    return _public_bytes(current) == _public_bytes(key) and now < current.not_valid_after_utc - CA_RENEWED_WITHIN


def _is_good_leaf(
    current: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    names: tuple[x509.GeneralName, ...],
    now: datetime,
) -> bool:
    left = current.not_valid_after_utc - now
    life = current.not_valid_after_utc - current.not_valid_before_utc
    try:
        current.verify_directly_issued_by(ca)
        held = current.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return (
        _public_bytes(current) == _public_bytes(key)
        and tuple(held) == names
        and current.not_valid_before_utc <= now
        and left >= life * LEAF_RENEWED_AT
    )


def _public_bytes(holder: x509.Certificate | ec.EllipticCurvePrivateKey) -> bytes:
    return holder.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


# -- signing ---------------------------------------------------------------------------------------------


def _sign_ca(key: ec.EllipticCurvePrivateKey, old: x509.Certificate | None, now: datetime) -> bytes:
    # Two installations on one machine end up in one trust store: the random part keeps their names apart, and
    # a renewal keeps the name, so that certificates signed before still chain to it.
    if old is not None and _public_bytes(old) == _public_bytes(key):
        subject = old.subject
    else:
        subject = _subject(f"Tidegate local CA {secrets.token_hex(4)}")
    usage = _key_usage(signs_certificates=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(subject, subject, key, now, now + CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _sign_leaf(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    names: tuple[x509.GeneralName, ...],
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    now: datetime,
    life: timedelta,
) -> bytes:
    # The common name is the file's, never a host's: a gateway's host name is longer than the 64 characters it takes.
    issuer_id = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    until = min(now + life, ca.not_valid_after_utc)
    certificate = (
        _builder(_subject(f"Tidegate {name}"), ca.subject, key, now, until)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(until)
    )


def _subject(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tidegate"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64]),
        ]
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


# -- files -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _folder_locked(folder: Path) -> Iterator[None]:
    """Make the folder, private, and keep other processes out while we look and write."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CertificateError(
            f"{folder} cannot be used for keys: {error.strerror} (our side). Free space, or correct its owner."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _ensure_key(path: Path) -> ec.EllipticCurvePrivateKey:
    if path.exists():
        return _load_key(path)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(path, pem, 0o600)
    return key


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise CertificateError(f"{path} is no private key we can read (our side): restore or remove it.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError(f"{path} is not an elliptic-curve key (our side): restore or remove it.")
    path.chmod(0o600)
    return key


def _load_certificate(path: Path) -> x509.Certificate | None:
    """None when it is missing or spoilt: it can be signed again, unlike a key."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None


def _require_certificate(path: Path) -> x509.Certificate:
    certificate = _load_certificate(path)
    if certificate is None:
        raise CertificateError(f"{path} is no certificate we can read (our side): make the CA first.")
    return certificate


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replace by rename.  The temporary name is fixed, so what a killed writer left is overwritten, never piled up."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise CertificateError(
            f"{path} cannot be written: {error.strerror} (our side). Free space, or correct its owner."
        ) from error
