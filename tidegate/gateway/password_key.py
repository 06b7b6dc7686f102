"""The RSA part of caching_sha2_password, for clients that log in without TLS.

TiDB knows no RSA: it asks every caching_sha2_password user for the whole password and takes the next packet for
it (pkg/server/conn.go, ``authSha``).  A MySQL client without TLS instead asks for an RSA key, as it would of
MySQL's own server.  So the gateway plays that part: it gives out the key of this process, opens the answer, and
says the password to the database inside the provider network.  Clients only do so when told to trust the server
(``--get-server-public-key``, ``allowPublicKeyRetrieval``); the others end with their own "requires secure connection".
"""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEY_BITS = 2048


class PasswordKey:
    """One key per gateway process, never written anywhere.  Making one takes about 0.1 s of CPU."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(65537, KEY_BITS)
        self.pem = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def open(self, sealed: bytes, salt: bytes) -> bytes | None:
        """The password with its final NUL, or None when ``sealed`` was not made with our key.

        Sealed is RSA-OAEP(SHA-1) of the password XORed with the salt, over and over.
        """
        oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303 the protocol's choice
        try:
            mixed = self._key.decrypt(sealed, oaep)
        except ValueError:
            return None
        return bytes(byte ^ salt[at % len(salt)] for at, byte in enumerate(mixed))
