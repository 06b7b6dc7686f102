"""scripts/setup on a host that lacks something."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parents[3] / "scripts"


@pytest.fixture
def setup() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tidegate_setup", SCRIPTS / "setup.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_ordinary_user_is_told_the_exact_command(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """It must be right to the letter: people paste it after sudo without reading."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(
        setup.shutil, "which", lambda program, path=None: "/usr/bin/apt-get" if "apt" in program else None
    )
    with pytest.raises(setup.SetupError) as raised:
        setup.provide_packages(setup.missing_packages(tests=False))
    assert "\n    sudo apt-get install -y --no-install-recommends iproute2 nftables\n" in str(raised.value)


def test_what_only_some_tests_need_stops_nobody(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ubuntu has no `chromium`: its tests are skipped there, the others must run."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(setup.shutil, "which", lambda program, path=None: "/apt-get" if "apt" in program else None)
    assert {"chromium", "libmariadb-dev"} <= set(setup.missing_extras())
    setup.provide_extras(["chromium", "gcc"])
    told = capsys.readouterr().err
    assert "sudo apt-get install -y --no-install-recommends chromium\n" in told and "recommends gcc\n" in told


def test_nothing_missing_is_nothing_done(setup: ModuleType) -> None:
    setup.provide_packages([])


def test_the_stamp_changes_with_what_is_required(setup: ModuleType, tmp_path: Path) -> None:
    """A pulled change of requirements must be installed; an unchanged one must cost nothing."""
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text("x==1")
    second.write_text("x==2")
    assert setup.wanted_stamp(first) == setup.wanted_stamp(first) != setup.wanted_stamp(second)


@pytest.mark.parametrize("script", ["setup", "demo", "test", "check", "bench", "../.ci/run"])
def test_each_script_has_help_with_an_example(script: str) -> None:
    """And --help must not begin to install anything."""
    environment = os.environ | {"TIDEGATE_PYTHON": sys.executable}
    done = subprocess.run([SCRIPTS / script, "--help"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert f"{Path(script).name}" in done.stdout and len(done.stdout.splitlines()) >= 1
