"""The driver without root: a user namespace of one's own is enough."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NOBODY = 65534


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """pytest's own folders are closed to the user that we drop to."""
    folder = Path(tempfile.mkdtemp(prefix="tgengine-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def drop() -> list[str]:
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def test_a_cluster_lives_without_root(open_folder: Path, binary: Path) -> None:
    """Laptops and CI have no sudo; the server must start, serve and be adopted all the same."""
    python = [*drop(), sys.executable]
    if subprocess.run([*python, "-c", "import tidegate, pymysql"], check=False, cwd=HERE.parents[1]).returncode != 0:
        pytest.skip("the checkout or its Python cannot be read by an ordinary user")
    if subprocess.run([*drop(), "unshare", "-rn", "true"], check=False).returncode != 0:
        pytest.skip("this machine gives ordinary users no user namespaces")
    mine = open_folder / "tidb-server"
    shutil.copy(binary, mine)
    for path in (open_folder, mine):
        path.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
    command = [*drop(), "unshare", "-rn", sys.executable, str(HERE / "rootless_engine.py")]
    done = subprocess.run(
        [*command, str(open_folder / "clusters"), str(mine)],
        cwd=HERE.parents[1],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(HERE.parents[1]), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == {"phase": "ready", "rows": [["p1.root@%"]], "same_pid": True}
