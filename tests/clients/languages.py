"""Alibaba's SDKs of other languages as processes that carry out calls; and what makes them ready.

``go/`` and ``node/`` hold a small program each, whose every dependency is pinned with its hash (``go.sum``,
``package-lock.json``).  They are made once, into ``$XDG_CACHE_HOME/tidegate/clients/<hash>``; ``scripts/setup
--clients`` does it ahead of the tests.

python tests/clients/languages.py      make them ready (about a minute the first time); ends with 1 if one cannot be
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tidegate.engine.build import BuildError, require_go

HERE = Path(__file__).parent
BUILD_LIMIT_S = 900
MADE_FROM = {"go": "*", "node": "package*.json"}
"""language -> the files that what is made depends on"""


class ClientsError(Exception):
    """A language's client cannot be made ready; the message says why and what to do."""


class Refused(Exception):  # noqa: N818 - the cloud's word
    """A call was refused: what the SDK read of it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message


class Client:
    """One process of one SDK.  ``call`` gives the body that the SDK's own model holds."""

    def __init__(self, command: list[str], environment: dict[str, str], config: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._write(config)

    def call(self, sdk: str, action: str, **parameters: Any) -> dict[str, Any]:
        """Raises :class:`Refused`."""
        answer = self.send(sdk, action, parameters)
        if "code" in answer or "message" in answer:
            raise Refused(answer["status"], answer.get("code", ""), answer.get("message", ""))
        assert answer["status"] == 200
        body: dict[str, Any] = answer["body"]
        return body

    def send(self, sdk: str, action: str, parameters: Any) -> dict[str, Any]:
        self._write({"sdk": sdk, "action": action, "parameters": parameters})
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the client's process ended; its stderr says why"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _write(self, value: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream
            stream.close()


@contextmanager
def open_client(language: str, sdk: str, config: dict[str, str], ca: Path | None = None) -> Iterator[Client]:
    """``sdk``: acs3, v1, or (Go) digest.  ``config``: Host, Scheme, Region, Key, Secret."""
    folder = ensure_client(language)
    if language == "go":
        command, environment = [str(folder / "client"), sdk], {"SSL_CERT_FILE": str(ca)} if ca else {}
    else:
        command = [_require("node", "nodejs"), str(HERE / "node" / "client.js"), sdk]
        environment = {"NODE_PATH": str(folder / "node_modules")}
        if ca:
            environment["NODE_EXTRA_CA_CERTS"] = str(ca)
    client = Client(command, environment, config)
    try:
        yield client
    finally:
        client.close()


def ensure_client(language: str) -> Path:
    """The folder that holds it; made if it is not there.  Raises :class:`ClientsError`."""
    files = sorted((HERE / language).glob(MADE_FROM[language]))
    digest = hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tidegate" / "clients"
    folder = cache / f"{language}-{digest}"
    cache.mkdir(parents=True, exist_ok=True)
    # Two runs make it once: the second waits, and finds it.
    with (cache / f"{language}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            draft = cache / f"{language}.new"
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            {"go": _build_go, "node": _install_node}[language](draft, cache / f"{language}.log")
            draft.rename(folder)
    return folder


def _build_go(draft: Path, log: Path) -> None:
    log.write_text("")
    try:
        go = require_go(os.environ, lambda stage, fraction, line: None, log)
    except BuildError as error:
        raise ClientsError(str(error)) from error
    command = [str(go), "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-o", str(draft / "client"), "."]
    _run(command, HERE / "go", {"GOTOOLCHAIN": "local", "GOWORK": "off"}, log)


def _install_node(draft: Path, log: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / "node" / name, draft)
    _require("node", "nodejs")
    # No scripts: nothing of what is fetched runs before a test does.
    _run([_require("npm", "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], draft, {}, log)


def _require(program: str, package: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise ClientsError(f"The Node clients need {program}: run scripts/setup --clients, or install {package}.")
    return found


def _run(command: list[str], folder: Path, environment: dict[str, str], log: Path) -> None:
    with log.open("a") as out:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdout=out,
            stderr=out,
            timeout=BUILD_LIMIT_S,
            check=False,
        )
    if done.returncode != 0:
        last = (log.read_text().strip().splitlines() or [""])[-1]
        raise ClientsError(f"{' '.join(command[:2])} failed ({last}): {log} says why. Check the network; run it again.")


def main() -> int:
    try:
        for language in MADE_FROM:
            print(f"clients: {ensure_client(language)}", file=sys.stderr)
    except ClientsError as error:
        print(f"clients: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
