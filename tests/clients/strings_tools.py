"""The clients that people paste the Connect dialog's strings into, from their registries, each pinned by its hash.

They are put once into the user's cache (``~/.cache/tidegate/clients``), beside neither the checkout nor Tidegate's own
packages.  Where a runtime is missing, or a registry is out of reach, :class:`Missing` says which.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path

PROGRAMS = Path(__file__).parent / "strings"
JARS = {
    "mysql": ("com.mysql:mysql-connector-j:9.5.0", "f2ca3dfaf00d4aa311470db7ea3051962944ba0cb60005a2f75467549c39f425"),
    "mariadb": (
        "org.mariadb.jdbc:mariadb-java-client:3.5.6",
        "a129703efd7b0f334564d46753de999f09b3a361489a2eb647e6020390981cc9",
    ),
}
FETCH_S = 600.0


class Missing(Exception):  # noqa: N818 - no error: the test is skipped
    """The client cannot be had here; the message says what it lacks."""


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tidegate" / "clients"


def require_program(name: str, package: str) -> str:
    if (found := shutil.which(name)) is None:
        raise Missing(f"no `{name}`: apt-get install {package}")
    return found


@functools.cache
def provide_python() -> Path:
    """A Python with PyMySQL, mysqlclient, MySQL Connector, SQLAlchemy and Django."""
    for name, package in (("mariadb_config", "libmariadb-dev"), ("cc", "gcc"), ("pkg-config", "pkg-config")):
        require_program(name, f"{package} (mysqlclient is built)")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        raise Missing("no Python.h, and mysqlclient is built: apt-get install python3-dev")
    pinned = PROGRAMS / "requirements.txt"

    def fill(folder: Path) -> None:
        fetch([sys.executable, "-m", "venv", str(folder)])
        pip = [
            str(folder / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "--no-input",
        ]
        fetch([*pip, "--require-hashes", "-r", str(pinned)])

    return provide("python", [pinned], fill) / "bin" / "python"


@functools.cache
def provide_node() -> Path:
    """A folder to run ``node`` in, with mysql2 and Prisma's driver.  No package's own script is run."""
    require_program("node", "nodejs")
    npm = require_program("npm", "npm")
    pinned = [PROGRAMS / "package.json", PROGRAMS / "package-lock.json"]

    def fill(folder: Path) -> None:
        for file in pinned:
            shutil.copy(file, folder)
        fetch([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)

    return provide("node", pinned, fill)


def build_go(shown: str, folder: Path) -> Path:
    """A program with the shown lines in it; ``folder`` is the test's own.  Go checks the modules against go.sum."""
    go = require_program("go", "golang")
    for file in ("go.mod", "go.sum"):
        shutil.copy(PROGRAMS / "go" / file, folder)
    lines = shown.replace("\n", "\n\t")
    (folder / "main.go").write_text((PROGRAMS / "go" / "main.go.txt").read_text().replace("//SHOWN", lines))
    fetch([go, "mod", "download"], folder)
    built = subprocess.run([go, "build", "-o", "connect", "."], cwd=folder, capture_output=True, text=True, check=False)
    assert built.returncode == 0, f"the shown lines do not compile: {built.stderr}"
    return folder / "connect"


@functools.cache
def provide_jar(kind: str) -> Path:
    """MySQL's or MariaDB's driver, as Maven keeps it; it must be the one whose hash is known."""
    require_program("java", "default-jdk-headless")
    coordinates, digest = JARS[kind]
    group, name, version = coordinates.split(":")
    jar = Path.home() / ".m2/repository" / group.replace(".", "/") / name / version / f"{name}-{version}.jar"
    if not jar.exists():
        mvn = require_program("mvn", "maven")
        fetch([mvn, "-q", "-B", "dependency:get", f"-Dartifact={coordinates}", "-Dtransitive=false"])
    assert hashlib.sha256(jar.read_bytes()).hexdigest() == digest, f"{jar} is not the driver that these tests know"
    return jar


def build_trust_store(ca: Path, folder: Path) -> list[str]:
    """Java's options to trust this CA alone."""
    store = folder / f"{ca.stem}.p12"
    if not store.exists():
        keytool = require_program("keytool", "default-jdk-headless")
        options = ["-storetype", "PKCS12", "-storepass", "changeit", "-keystore", str(store)]
        fetch([keytool, "-importcert", "-noprompt", "-alias", "ca", "-file", str(ca), *options])
    return [f"-Djavax.net.ssl.trustStore={store}", "-Djavax.net.ssl.trustStorePassword=changeit"]


def provide(name: str, pinned: Sequence[Path], fill: Callable[[Path], None]) -> Path:
    """The folder filled from what ``pinned`` names; made once, and only a whole one counts."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in pinned) + sys.version.encode()).hexdigest()[:16]
    folder = cache() / f"{name}-{digest}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            fill(folder)
            (folder / "whole").touch()
    return folder


def fetch(command: Sequence[str], folder: Path | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FETCH_S, check=False)
    if done.returncode != 0:
        raise Missing(f"`{' '.join(command[:4])} ...` failed: {(done.stdout + done.stderr).strip()[-600:]}")
