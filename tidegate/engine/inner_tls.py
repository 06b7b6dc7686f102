"""The certificate of every database server here, for the leg between it and its gateway.

One for all, made once: a key made at each start (TiDB's ``auto-tls``) costs half a second of CPU.  It vouches for
nothing, because the gateway takes it as it is; it is there so that a session may be encrypted, and TiDB calls it so.
"""

from __future__ import annotations

import fcntl
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tidegate.engine.folder import write_secret

NAME = "tidegate database"
BEGIN, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
"""RFC 5280 4.1.2.5: this end means that it has none"""


class KeyPair(NamedTuple):
    """Two PEM files."""

    certificate: Path
    key: Path


def require_key_pair(root: Path) -> KeyPair:
    """The pair of the clusters at ``root``, made now if there is none.  Raises OSError.

    Callers in any number of threads and processes make it once; a maker that dies leaves nothing that counts.
    """
    folder = root / ".tls"
    pair = KeyPair(folder / "server.crt", folder / "server.key")
    if pair.certificate.exists():
        return pair
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not pair.certificate.exists():
            certificate, key = _make_pair()
            write_secret(pair.key, key)
            # Last: where the certificate is, the key is too.
            write_secret(pair.certificate, certificate)
    return pair


def _make_pair() -> tuple[str, str]:
    # Within: it is needed once in an installation's life, and loading it takes longer than all of this.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), BEGIN, END)
    certificate = builder.sign(key, hashes.SHA256())
    return (
        certificate.public_bytes(Encoding.PEM).decode(),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    )
