"""Finding a tidb-server, and building one: with stand-ins for Go and for TiDB, and no network."""

from __future__ import annotations

import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from tidegate.engine.binary import NoBinaryError, find_binary, main
from tidegate.engine.build import (
    BuildError,
    Recipe,
    build_binary,
    cache_folder,
    decide_build_reason,
    is_go_enough,
)
from tidegate.engine.pin import (
    GO_MINIMUM,
    MODULE_VERSION,
    decide_supported,
    parse_go_version,
    parse_release,
    read_module,
)

STAND_IN = Recipe(
    version="v0.0.1",
    package=".",
    linker_flags="-s -w",
    files={
        "go.mod": "module tidegate.local/stand-in\n\ngo 1.21\n",
        "main.go": 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("stand-in") }\n',
    },
    disk_bytes=0,
)


def put(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def environ(tmp_path: Path, path: str = "/nonexistent") -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": path}


def test_the_order_of_the_search(tmp_path: Path) -> None:
    """docs/howto/tidb.md promises it; each finding is taken away to see the next."""
    env = environ(tmp_path, str(tmp_path / "bin"))
    own = put(tmp_path / "own" / "tidb")
    on_path = put(tmp_path / "bin" / "tidb-server")
    for version in ("v8.5.3", "v8.5.10", "v8.5.9"):
        put(tmp_path / ".tiup" / "components" / "tidb" / version / "tidb-server")
    cached = put(cache_folder(env) / "tidb-server")
    assert find_binary(str(own), env) == own
    assert find_binary("", env) == on_path
    on_path.unlink()
    newest = find_binary("", env)
    assert newest is not None and newest.parent.name == "v8.5.10"
    shutil.rmtree(tmp_path / ".tiup")
    assert find_binary("", env) == cached
    cached.chmod(0o644)
    assert find_binary("", env) is None


def test_a_configured_one_that_cannot_run_is_an_error(tmp_path: Path) -> None:
    """Silently taking another TiDB than the one that was asked for would be worse than none."""
    put(cache_folder(environ(tmp_path)) / "tidb-server")
    with pytest.raises(NoBinaryError, match="TIDEGATE_TIDB_SERVER"):
        find_binary(str(tmp_path / "none"), environ(tmp_path))


def test_the_command_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """scripts/demo calls it."""
    for name, value in environ(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TIUP_HOME", raising=False)
    assert main(["--find-only", "--tidb-server", ""]) == 1
    assert "without --find-only" in capsys.readouterr().err
    own = put(tmp_path / "tidb")
    assert main(["--find-only", "--tidb-server", str(own)]) == 0
    assert capsys.readouterr().out.strip() == str(own)


@pytest.mark.parametrize(
    ("text", "version"),
    [("go version go1.26.8 linux/amd64", (1, 26)), ("go version go1.9 x", (1, 9)), ("no such thing", None)],
)
def test_go_versions(text: str, version: tuple[int, int] | None) -> None:
    """As numbers: 1.9 is older than 1.25."""
    assert parse_go_version(text) == version


def test_release_numbers() -> None:
    """From ``tidb-server -V`` and from TiUP's folders."""
    assert parse_release("Release Version: v8.5.4\nEdition: Community") == (8, 5, 4)
    assert parse_release("v9.0.0-beta.1") == (9, 0, 0)
    assert parse_release("nightly") is None


def test_the_pinned_module_is_the_one_that_is_built() -> None:
    """Its version is said twice, here and in go.mod; and every checksum is there."""
    files = read_module()
    assert f"github.com/pingcap/tidb {MODULE_VERSION} " in files["go.mod"]
    assert f"github.com/pingcap/tidb {MODULE_VERSION} h1:" in files["go.sum"]
    assert f"\ngo {GO_MINIMUM[0]}.{GO_MINIMUM[1]}\n" in files["go.mod"]


def test_where_it_cannot_be_built_it_says_so() -> None:
    """Before it downloads a gigabyte."""
    assert decide_supported("x86_64", "Linux") == "" and decide_supported("aarch64", "Linux") == ""
    assert "Darwin" in decide_supported("arm64", "Darwin")


FAKE_GO = """#!/bin/sh
case "$1" in
version) echo go version go1.26.0 linux/amd64 ;;
list) echo one; echo two ;;
build)
  echo "$$" >> "{calls}"
  echo one >&2; echo two >&2
  while [ "$1" != -o ]; do shift; done
  {body}
  printf '#!/bin/sh\\n' > "$2"; chmod 755 "$2" ;;
esac
"""


def fake_go(tmp_path: Path, body: str = ":") -> tuple[dict[str, str], Path]:
    calls = tmp_path / "calls"
    put(tmp_path / "gobin" / "go", FAKE_GO.format(calls=calls, body=body))
    return environ(tmp_path, f"{tmp_path / 'gobin'}:/usr/bin:/bin"), calls


def test_it_is_built_once_and_shows_how_far_it_is(tmp_path: Path) -> None:
    """A build takes minutes: the second caller must find the first one's."""
    env, calls = fake_go(tmp_path)
    told: list[tuple[str, float | None, str]] = []
    path = build_binary(env, lambda *step: told.append(step), STAND_IN)
    assert path == build_binary(env, None, STAND_IN)
    assert len(calls.read_text().splitlines()) == 1
    assert ("compile", 0.5, "one") in told and told[-1] == ("done", 1.0, str(path))


def test_two_callers_build_once(tmp_path: Path) -> None:
    """`up` and the demo, or two users of one cache."""
    env, calls = fake_go(tmp_path, f'while [ ! -e "{tmp_path}/go-on" ]; do :; done')
    told: list[str] = []
    paths: list[Path] = []

    def build() -> None:
        paths.append(build_binary(env, lambda stage, fraction, line: told.append(stage), STAND_IN))

    callers = [threading.Thread(target=build) for _ in range(2)]
    for caller in callers:
        caller.start()
    while "waiting" not in told or "compile" not in told:
        assert any(caller.is_alive() for caller in callers)
    (tmp_path / "go-on").touch()
    for caller in callers:
        caller.join()
    assert len(paths) == 2 and len(calls.read_text().splitlines()) == 1


def test_a_failed_build_is_a_sentence_and_the_next_goes_on(tmp_path: Path) -> None:
    """Nothing that looks like a tidb-server may be left of it."""
    env, _ = fake_go(tmp_path, "echo 'write x: no space left on device' >&2; exit 1")
    with pytest.raises(BuildError) as caught:
        build_binary(env, None, STAND_IN)
    folder = cache_folder(env, "v0.0.1")
    assert "disk is full" in str(caught.value) and str(folder / "build.log") in str(caught.value)
    assert not (folder / "tidb-server").exists()
    fake_go(tmp_path)
    assert build_binary(env, None, STAND_IN).exists()


def test_an_unwritable_cache_is_a_sentence(tmp_path: Path) -> None:
    """A read-only home is common in CI."""
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(BuildError, match="XDG_CACHE_HOME"):
        build_binary(environ(tmp_path), None, STAND_IN)


def test_an_old_go_is_not_enough(tmp_path: Path) -> None:
    """Debian 12 ships 1.19."""
    old = put(tmp_path / "go", "#!/bin/sh\necho go version go1.19.8 linux/amd64\n")
    assert not is_go_enough(old, environ(tmp_path, "/usr/bin:/bin"))
    assert not is_go_enough(tmp_path / "none", environ(tmp_path))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("dial tcp: lookup somewhere: no such host", "GOPROXY"),
        ("x: signal: killed", "memory"),
        ("verifying m: checksum mismatch", "pinned"),
        ("undefined: f", "TIDEGATE_TIDB_SERVER"),
    ],
)
def test_build_failures(line: str, words: str) -> None:
    """What happened, what to do, where to look."""
    reason = decide_build_reason(line, 1, Path("/log"))
    assert words in reason and reason.endswith("see /log.")


@pytest.mark.skipif(shutil.which("go") is None, reason="no Go here; the stand-ins above cover the flow")
def test_a_real_go_builds_a_real_module(tmp_path: Path) -> None:
    """The flags and the output are Go's own; the module needs no network."""
    go = shutil.which("go")
    assert go is not None
    env = {**environ(tmp_path, f"{Path(go).parent}:/usr/bin:/bin"), "GOFLAGS": "-mod=mod", "GOPROXY": "off"}
    # The user's own build cache, or the standard library would be compiled for this.
    env["GOCACHE"] = subprocess.run([go, "env", "GOCACHE"], capture_output=True, text=True, check=True).stdout.strip()
    if not is_go_enough(Path(go), env):
        pytest.skip("the Go on PATH is too old")
    path = build_binary(env, None, STAND_IN)
    assert path.stat().st_mode & 0o111
