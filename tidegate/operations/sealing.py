"""Secrets at rest: sealed with a key that is not in the database.

A signature can only be checked by someone who can make it (HMAC and digest are symmetric), so secrets cannot be stored
as hashes.  They are stored sealed (Fernet: AES-128-CBC with HMAC-SHA256) under a key in ``home/keys/store-key``: a
stolen database, its backup or a replica gives nobody a secret.  ``docs/security.md`` says what remains.
"""

from __future__ import annotations

import os
import secrets
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

_MARK = "sealed:"
_OPENED_AT_MOST = 1024
"""secrets that stay in this process's memory, told by their sealed text: one that is sealed anew is opened anew"""


class SealError(Exception):
    """A secret cannot be opened; the message says what to do."""


class Sealer:
    """Seals and opens texts under one key."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(key)
        # Every signed call opens its key's secret, and opening takes longer than checking the signature.
        self._opened = lru_cache(_OPENED_AT_MOST)(self._open)

    @classmethod
    def ephemeral(cls) -> Sealer:
        """Under a key nobody keeps: for a store that lives no longer than this object."""
        return cls(Fernet.generate_key())

    def seal(self, secret: str) -> str:
        return _MARK + self._fernet.encrypt(secret.encode()).decode()

    def open(self, sealed: str) -> str:
        """Raises :class:`SealError` for what another key sealed.  A text from before sealing is given back as it is."""
        return self._opened(sealed) if is_sealed(sealed) else sealed

    def _open(self, sealed: str) -> str:
        try:
            return self._fernet.decrypt(sealed.removeprefix(_MARK).encode()).decode()
        except InvalidToken as error:
            raise SealError(
                "An access key in the store was sealed with another store key (our side): restore keys/store-key of "
                "the home this database comes from, or make new keys with `tidegate account key`."
            ) from error


def is_sealed(text: str) -> bool:
    return text.startswith(_MARK)


def load_sealer(path: Path) -> Sealer:
    """The sealer of this installation; its key is made at the first start, readable by its owner only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key())
        try:
            os.link(draft, path)  # unlike rename, never replaces a key that another process made meanwhile
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return Sealer(path.read_bytes())
