"""Make this checkout ready to run: system packages, .venv, hashed requirements, and TiDB if asked.

Run through ``scripts/setup`` (scripts/demo and scripts/test do); it may be run any number of times and is quick when
nothing has changed.  All it says goes to stderr.  Only the standard library is used: nothing is installed yet.

Example::

    scripts/setup                 what `tidegate` needs
    scripts/setup --tests --tidb  what the tests need, and a TiDB server
    scripts/setup --clients       the Go and Node SDKs that tests/clients drives
    scripts/setup --bench         what scripts/bench api measures itself against
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "tidegate-setup"
BENCH = VENV / "bench"
"""moto_server and what it needs, apart: nothing of it is ours to import"""
# Debian leaves /usr/sbin, where nft is, out of an ordinary user's PATH.
PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"

RUNTIME = {"nft": "nftables", "ip": "iproute2"}
TESTS = {
    "iperf3": "iperf3",
    "tcpdump": "tcpdump",
    "conntrack": "conntrack",
    "mariadb": "mariadb-client-core",
    "runuser": "util-linux",
}
CLIENTS = {"node": "nodejs", "npm": "npm"}
"""program -> the package that has it, on Debian 12 and Ubuntu 24.04 alike"""
EXTRAS = {
    "chromium": "chromium",
    "dig": "bind9-dnsutils",
    "/usr/share/fonts/opentype/noto": "fonts-noto-cjk",
    "mariadb_config": "libmariadb-dev",
    "cc": "gcc",
    "pkg-config": "pkg-config",
    sysconfig.get_path("include") + "/Python.h": "python3-dev",
}
"""a program or a path -> its package: for a browser's tests, for one of names, and to build mysqlclient.  Without them
those tests are skipped, and say so: Ubuntu has no such Chromium, and an ordinary user need not be asked for it before
every test"""


class SetupError(Exception):
    """Set-up cannot go on; the message says what to do."""


def main() -> int:
    """Everything in order; 1 with one sentence when something cannot be had."""
    options = parse_arguments()
    try:
        provide_packages(missing_packages(options.tests, options.clients))
        if options.tests:
            provide_extras(missing_extras())
        # One at a time: scripts/demo and scripts/test may be started together in one checkout.
        with Path(__file__).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            provide_environment(requirements_file(options.tests or options.clients))
            if options.clients:
                provide_clients()
            if options.bench:
                provide_bench()
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return provide_tidb() if options.tidb else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "scripts/setup", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tests", action="store_true", help="also what the tests and scripts/check need")
    parser.add_argument("--tidb", action="store_true", help="also find a TiDB server, or build one (about 10 minutes)")
    parser.add_argument("--clients", action="store_true", help="also the SDKs of other languages, for tests/clients")
    parser.add_argument("--bench", action="store_true", help="also the other server that scripts/bench api measures")
    return parser.parse_args()


def say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr, flush=True)


# -- system packages ---------------------------------------------------------------------------------------------


def missing_packages(tests: bool, clients: bool = False) -> list[str]:
    wanted = RUNTIME | (TESTS if tests else {}) | (CLIENTS if clients else {})
    missing = {package for program, package in wanted.items() if shutil.which(program, path=PATH) is None}
    # Debian and Ubuntu ship python3 without the part that makes virtual environments.
    if not PYTHON.exists() and any(importlib.util.find_spec(part) is None for part in ("venv", "ensurepip")):
        missing.add("python3-venv")
    return sorted(missing)


def missing_extras() -> list[str]:
    return sorted(
        package
        for what, package in EXTRAS.items()
        if not (Path(what).exists() if what.startswith("/") else shutil.which(what, path=PATH))
    )


def provide_extras(missing: list[str]) -> None:
    """Each alone, for one that a distribution lacks must not keep the others away; never an error."""
    for package in missing:
        try:
            provide_packages([package])
        except SetupError as error:
            say(f"some tests will be skipped, for {error}")


def provide_packages(missing: list[str]) -> None:
    """Root installs what is missing; anybody else is told the exact command."""
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise SetupError(
            f"this host lacks {', '.join(missing)}: install them with its package manager, then try again."
        )
    install = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0:
        raise SetupError(
            f"this host lacks {', '.join(missing)}. Run once, then try again:\n\n    sudo {' '.join(install)}\n"
        )
    say(f"installing {', '.join(missing)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-q"], environment, "the package lists could not be fetched")
    run(install, environment, f"{' '.join(missing)} could not be installed")


# -- the virtual environment ---------------------------------------------------------------------------------------


def requirements_file(tests: bool) -> Path:
    """dev.txt holds all of runtime.txt.  What was once made for tests stays so: no going back and forth."""
    had_tests = STAMP.exists() and "dev.txt" in STAMP.read_text()
    return ROOT / "requirements" / ("dev.txt" if tests or had_tests else "runtime.txt")


def provide_environment(requirements: Path) -> None:
    wanted = wanted_stamp(requirements)
    if runs(PYTHON) and STAMP.exists() and STAMP.read_text() == wanted:
        return
    if not os.access(VENV if VENV.exists() else ROOT, os.W_OK):
        raise SetupError(f"{ROOT} is not yours to write to. Clone a checkout of your own, and run it there.")
    started = time.monotonic()
    if not runs(PYTHON):
        say(f"making {VENV} with Python {sys.version.split()[0]}")
        run([sys.executable, "-m", "venv", "--clear", str(VENV)], None, "the virtual environment could not be made")
    install_requirements(PYTHON, requirements)
    install_project()
    STAMP.write_text(wanted)
    say(f"ready in {time.monotonic() - started:.0f} s")


def provide_clients() -> None:
    """What each program is made of is pinned in its folder; without a Go that is new enough, one comes with pip."""
    say("the clients in Go and Node (about a minute the first time)")
    command = [str(PYTHON), "tests/clients/languages.py"]
    if subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False).returncode != 0:
        raise SetupError("the clients in other languages could not be made; the line above says why.")


def provide_bench() -> None:
    requirements, stamp = ROOT / "requirements" / "bench.txt", BENCH / "tidegate-setup"
    wanted = wanted_stamp(requirements)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    run([sys.executable, "-m", "venv", "--clear", str(BENCH)], None, "the virtual environment could not be made")
    install_requirements(BENCH / "bin" / "python", requirements)
    stamp.write_text(wanted)


def install_requirements(python: Path, requirements: Path) -> None:
    say(f"installing what {requirements.relative_to(ROOT)} names (every file is checked against its hash)")
    install = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"]
    if sys.stderr.isatty():
        install.remove("--quiet")
    run([*install, "--require-hashes", "-r", str(requirements)], None, "the Python packages could not be installed")


def wanted_stamp(requirements: Path) -> str:
    """What the environment was made from.  The folder counts: a virtual environment cannot be moved."""
    digest = hashlib.sha256(requirements.read_bytes() + Path(__file__).read_bytes()).hexdigest()
    return f"{requirements.name} {digest} {ROOT}\n"


def runs(python: Path) -> bool:
    """Is it there, and recent enough?  A copied or half-made environment is neither."""
    check = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([str(python), "-c", check], stderr=subprocess.DEVNULL, check=False).returncode == 0
    except OSError:
        return False


def install_project() -> None:
    """Put this checkout on the path, and ``tidegate`` beside python.

    Not ``pip install -e``: that would fetch a build system that no hash of ours pins.
    """
    where = [str(PYTHON), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(where, check=True, capture_output=True, text=True).stdout.strip())
    (packages / "tidegate.pth").write_text(f"{ROOT}\n")
    command = VENV / "bin" / "tidegate"
    command.write_text(f"#!{PYTHON}\nimport sys\n\nfrom tidegate.__main__ import main\n\nsys.exit(main())\n")
    command.chmod(0o755)


# -- TiDB --------------------------------------------------------------------------------------------------------


def provide_tidb() -> int:
    """Found or built, with its own progress; docs/howto/tidb.md has the search order."""
    return subprocess.run([str(VENV / "bin" / "tidegate"), "tidb"], stdout=sys.stderr, check=False).returncode


def run(command: list[str], environment: dict[str, str] | None, otherwise: str) -> None:
    """Run it, its output on stderr.  Raises SetupError with ``otherwise``."""
    if subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode != 0:
        raise SetupError(f"{otherwise}; the lines above say why. Mend that and try again.")


if __name__ == "__main__":
    sys.exit(main())
