"""The operator's token: made at the first start, readable by the one who runs Tidegate and nobody else."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

FILE_NAME = "operator-token"
_BYTES = 32


class TokenError(Exception):
    """The token cannot be read or written; the message says which file and what to do."""


def ensure_token(keys: Path) -> str:
    """The token in ``keys``; made if there is none.  Raises :class:`TokenError`.

    It appears whole or not at all (linked into place), so a start that was killed, or two at once, agree on one.
    """
    path = keys / FILE_NAME
    try:
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _read(path):
            _place(path, secrets.token_urlsafe(_BYTES))
        path.chmod(0o600)
        return _read(path)
    except OSError as error:
        raise TokenError(f"The operator's token {path} cannot be used ({error}). Mend or remove the file.") from error


def _read(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        text = path.read_text(errors="replace").strip()
        if len(text) >= _BYTES:
            return text
        path.unlink(missing_ok=True)  # a stump that somebody else left: too short to be a secret
    return ""


def _place(path: Path, token: str) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(token + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
