"""The essential path as an ordinary user: no sudo, and the host's own network is not touched."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import tidegate
from tidegate.engine.binary import find_binary
from tidegate.testing import wait_until
from tidegate.testing.plugin import missing_reason
from tidegate.testing.witness import host_state

SCRIPT = Path(__file__).with_name("rootless_steps.py")
LIMIT_S = 180
LEFT_OUT = shutil.ignore_patterns("alibabacloud*", "mypy*", "ruff*", "hypothesis*", "__pycache__", "grpc*")


@pytest.fixture
def user() -> Iterator[pwd.struct_passwd]:
    """A user made for this test; the one who runs it, when that is an ordinary one."""
    if os.geteuid() != 0:
        yield pwd.getpwuid(os.geteuid())
        return
    if shutil.which("useradd") is None:
        pytest.skip("this host has no useradd to make an ordinary user with")
    name = f"tgt{secrets.token_hex(3)}"
    made = subprocess.run(["useradd", "-r", "-m", name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"no ordinary user can be made here: {made.stderr.strip()}")
    try:
        yield pwd.getpwnam(name)
    finally:
        subprocess.run(["userdel", "-r", name], capture_output=True, check=True)


@pytest.fixture
def folder(user: pwd.struct_passwd) -> Iterator[Path]:
    """The user's own, short, and holding all that the user must be able to read."""
    made = Path(tempfile.mkdtemp(prefix="tgu-"))
    try:
        yield made
    finally:
        shutil.rmtree(made)


def lend(folder: Path, user: pwd.struct_passwd) -> dict[str, str]:
    """Package, libraries, script and tidb-server for the user: the checkout may lie where only root can read."""
    packages = Path(sys.modules["pymysql"].__file__ or "").parents[1]
    shutil.copytree(packages, folder / "packages", ignore=LEFT_OUT)
    shutil.rmtree(folder / "packages" / "tidegate", ignore_errors=True)
    shutil.copytree(Path(tidegate.__file__ or "").parent, folder / "packages" / "tidegate")
    shutil.copy(SCRIPT, folder / SCRIPT.name)
    binary = find_binary()
    assert binary
    shutil.copy(binary, folder / "tidb-server")
    subprocess.run(["chown", "-R", f"{user.pw_uid}:{user.pw_gid}", str(folder)], check=True)
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",  # as an ordinary user's on Debian: nft is in none of these
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": str(folder / "packages"),
        "TIDEGATE_TIDB_SERVER": str(folder / "tidb-server"),
    }


def living(user: pwd.struct_passwd) -> str:
    listed = ["ps", "-o", "pid,stat,args", "--no-headers", "-u", str(user.pw_uid)]
    return subprocess.run(listed, capture_output=True, text=True, check=False).stdout


def test_the_three_steps_without_root(user: pwd.struct_passwd, folder: Path) -> None:
    """A laptop or CI user has no sudo: the same steps, the same refusals, and no trace."""
    import pymysql  # noqa: F401 - its place is where the libraries are

    if reason := missing_reason():
        pytest.skip(reason)
    python = str(Path(sys.executable).resolve())
    environment = lend(folder, user)
    drop = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    drop = drop if os.geteuid() == 0 else []
    if subprocess.run([*drop, python, "-c", ""], env=environment, capture_output=True, check=False).returncode != 0:
        pytest.skip(f"an ordinary user cannot execute {python}: install Python where all may read it")
    allowed = subprocess.run([*drop, "unshare", "-rnm", "true"], env=environment, capture_output=True, check=False)
    if allowed.returncode != 0:
        pytest.skip(f"this host gives ordinary users no user namespaces: {allowed.stderr.decode().strip()}")

    before = host_state()["routes"]
    done = subprocess.run(
        [*drop, python, str(folder / SCRIPT.name)],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    assert done.stdout.endswith("all well\n")
    assert host_state()["routes"] == before
    if os.geteuid() == 0:
        wait_until(lambda: not living(user), f"the user's processes to be gone: {living(user)}", 10)
