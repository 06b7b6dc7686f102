"""A real tidb-server per test cluster, in a network namespace made for the test.

Needs a tidb-server (``python -m tidegate.engine.binary`` finds or builds one) and root for ``ip netns``.
About 30 s.  The template is made once per run and lent to each test by a copy.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.engine.binary import find_binary
from tidegate.engine.template import require_template

# pytest's importlib mode leaves a test's folder off the path, and the bench is shared with a program.
sys.path.insert(0, str(Path(__file__).parent))
from engine_bench import ADDRESS, CONSUMER, GATEWAY, SPARE, Bench


@pytest.fixture(scope="session")
def binary() -> Path:
    found = find_binary(os.environ.get("TIDEGATE_TIDB_SERVER", ""))
    if found is None:
        pytest.skip("no tidb-server: run python -m tidegate.engine.binary")
    return found


@pytest.fixture(scope="session")
def template(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("template")
    return require_template(root, binary, 2 << 30).path


@pytest.fixture
def namespace() -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("needs root for ip netns; tests/engine/test_rootless.py covers the rest")
    name = f"tgengine-{secrets.token_hex(3)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        for address in (ADDRESS, GATEWAY, CONSUMER, SPARE):
            subprocess.run(["ip", "-n", name, "addr", "add", f"{address}/32", "dev", "lo"], check=True)
        yield Path("/run/netns") / name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


@pytest.fixture
def bench(binary: Path, template: Path, namespace: Path, tmp_path: Path) -> Iterator[Bench]:
    root = tmp_path / "clusters"
    root.mkdir(mode=0o700)
    shutil.copytree(template, root / template.name)
    bench = Bench(root, binary, namespace)
    try:
        yield bench
    finally:
        # Killed, because a clean end takes 1.8 s and one test sees to that.
        bench.engine.close()
        for pid in bench.processes():
            os.kill(pid, signal.SIGKILL)
        bench.engine.stop_all()
