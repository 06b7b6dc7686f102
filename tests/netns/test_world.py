"""The world of namespaces: made, entered, left and ended, with root and as an ordinary user."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from netns_witness import eventually, mounts
from netns_world import World

from tidegate.agent.processes import process_start
from tidegate.agent.world import (
    NamedNamespaces,
    WorldError,
    explain_refusal,
    require_tools,
    stop_world,
    world_processes,
)

PROJECT = Path(__file__).parents[2]
NOBODY = 65534


def own_network() -> int:
    return Path("/proc/thread-self/ns/net").stat().st_ino


def test_create_and_delete_are_idempotent(bare_world: World) -> None:
    names = bare_world.namespaces
    names.create("a")
    inode = Path(names.path("a")).stat().st_ino
    names.create("a")
    assert Path(names.path("a")).stat().st_ino == inode
    assert names.names() == {"a"}
    names.delete("a")
    names.delete("a")
    assert names.names() == frozenset()


def test_ip_netns_list_shows_them(bare_world: World) -> None:
    """People look with the tools they know."""
    bare_world.namespaces.create("a")
    listed = subprocess.run(["ip", "netns", "list"], text=True, capture_output=True, check=True).stdout
    assert f"tg-{bare_world.settings.instance}-a" in listed


def test_inside_moves_one_thread_and_brings_it_back(bare_world: World) -> None:
    """Also when the work inside fails; other threads do not notice."""
    bare_world.namespaces.create("a")
    home, entered, leave = own_network(), threading.Event(), threading.Event()
    seen = []

    def visit() -> None:
        with bare_world.namespaces.inside("a"):
            seen.append(own_network())
            entered.set()
            leave.wait(5)
        seen.append(own_network())

    thread = threading.Thread(target=visit)
    thread.start()
    assert entered.wait(5)
    assert own_network() == home
    leave.set()
    thread.join()
    assert seen == [Path(bare_world.namespaces.path("a")).stat().st_ino, home]
    with pytest.raises(ZeroDivisionError), bare_world.namespaces.inside("a"):
        raise ZeroDivisionError
    assert own_network() == home


def test_inside_a_missing_namespace(bare_world: World) -> None:
    home = own_network()
    with pytest.raises(FileNotFoundError, match="nowhere"), bare_world.namespaces.inside("nowhere"):
        pass
    assert own_network() == home


@pytest.mark.parametrize("name", ["../etc/passwd", "", "a/b", ".hidden", "x" * 200])
def test_a_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a namespace"):
        NamedNamespaces(tmp_path).path(name)


ENTER = """
import sys
from pathlib import Path
from tidegate.settings import Settings
from tidegate.agent.world import WorldError, enter_command
settings = Settings(home=Path(sys.argv[1]), run=Path(sys.argv[2]), rootless=sys.argv[3] == "1")
try:
    enter_command(settings, sys.argv[4], sys.argv[5:], "nameserver 100.100.2.136\\n")
except WorldError as error:
    sys.exit(str(error))
"""


def enter(world: World, name: str, *command: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", ENTER, str(world.settings.home), str(world.settings.run), "0", name, *command]
    return subprocess.run(argv, text=True, capture_output=True, cwd=PROJECT, check=False)


def test_a_command_inside_has_its_own_resolver_and_sys(bare_world: World) -> None:
    """Its own resolv.conf, this host's /sys (`ip netns exec` would remount it), and nothing left mounted."""
    bare_world.namespaces.create("a")
    host = Path("/etc/resolv.conf").read_text()
    done = enter(bare_world, "a", "sh", "-c", "cat /etc/resolv.conf; readlink /proc/self/ns/net; ls /sys/fs; pwd")
    lines = done.stdout.splitlines()
    assert lines[0] == "nameserver 100.100.2.136", done.stderr
    assert str(Path(bare_world.namespaces.path("a")).stat().st_ino) in lines[1]
    assert "cgroup" in lines and lines[-1] == str(PROJECT)
    assert Path("/etc/resolv.conf").read_text() == host
    assert str(bare_world.settings.run) not in mounts() and "tidegate /run" not in mounts()


def test_exit_status_and_signals_are_the_commands(bare_world: World) -> None:
    bare_world.namespaces.create("a")
    assert enter(bare_world, "a", "sh", "-c", "exit 42").returncode == 42
    assert enter(bare_world, "a", "sh", "-c", "kill -9 $$").returncode == -signal.SIGKILL


def test_what_cannot_be_entered_is_one_sentence(bare_world: World) -> None:
    bare_world.namespaces.create("a")
    missing = enter(bare_world, "b", "true")
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)
    assert "There is no namespace b. See what there is: tidegate status." in missing.stderr
    assert "There is no command no-such-command on this host." in enter(bare_world, "a", "no-such-command").stderr


def test_the_end_of_the_world_takes_its_processes(bare_world: World) -> None:
    """A shell somebody left open inside a VPC would keep the namespace alive."""
    bare_world.namespaces.create("a")
    shell = subprocess.Popen(["nsenter", f"--net={bare_world.namespaces.path('a')}", "sleep", "600"])
    assert eventually(lambda: world_processes(bare_world.settings) == [shell.pid])
    stop_world(bare_world.settings)
    assert shell.wait(5) == -signal.SIGTERM
    assert bare_world.names() == set()


def test_a_reused_pid_is_not_the_holder() -> None:
    """The record holds the start time too; a dead pid has none."""
    mine = process_start(os.getpid())
    assert mine is not None and mine == process_start(os.getpid())
    child = subprocess.Popen(["true"])
    assert eventually(lambda: process_start(child.pid) is None), "a zombie counts as gone"
    child.wait()


def resolver_in(bare_world: World, etc: Path) -> subprocess.CompletedProcess[str]:
    """``cat /etc/resolv.conf`` inside, on a host whose /etc is the given folder."""
    bare_world.namespaces.create("a")
    s = bare_world.settings
    inner = [sys.executable, "-c", ENTER, str(s.home), str(s.run), "0", "a", "cat", "/etc/resolv.conf"]
    script = f'mount --bind {etc} /etc; cd {PROJECT}; exec "$@"'
    return subprocess.run(
        ["unshare", "-m", "sh", "-ec", script, "sh", *inner], text=True, capture_output=True, check=False
    )


@pytest.mark.parametrize("target", ["plain", "link", "relative link"])
def test_the_resolver_wherever_the_file_really_is(bare_world: World, tmp_path: Path, target: str) -> None:
    """systemd-resolved, NetworkManager and resolvconf all make /etc/resolv.conf a link to somewhere."""
    etc, real = tmp_path / "etc", tmp_path / "real.conf"
    etc.mkdir()
    real.write_text("nameserver 127.0.0.53")
    if target == "plain":
        (etc / "resolv.conf").write_text("nameserver 127.0.0.53")
    else:
        (etc / "resolv.conf").symlink_to(real if target == "link" else f"..{real}")
    done = resolver_in(bare_world, etc)
    assert done.stdout == "nameserver 100.100.2.136\n", done.stderr
    assert real.read_text() == "nameserver 127.0.0.53"


@pytest.mark.parametrize("dangling", [True, False])
def test_a_host_without_resolv_conf_is_told_so(bare_world: World, tmp_path: Path, dangling: bool) -> None:
    """The command runs all the same; one line says what is missing and how to mend it."""
    etc = tmp_path / "etc"
    etc.mkdir()
    if dangling:
        (etc / "resolv.conf").symlink_to(tmp_path / "nowhere")
    done = resolver_in(bare_world, etc)
    assert "sudo touch" in done.stderr and "No such file" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("file", "value", "remedy"),
    [
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("kernel/unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=10000"),
        ("nothing/to/see", "1", "docker"),
    ],
)
def test_a_host_that_forbids_user_namespaces(tmp_path: Path, file: str, value: str, remedy: str) -> None:
    """Ubuntu 24.04, old Debian, hardened kernels, containers: each with its own remedy."""
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(value + "\n")
    said = explain_refusal(PermissionError(1, "Operation not permitted"), tmp_path)
    assert remedy in said and "\n" not in said


def test_a_host_without_nft(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidegate.agent.world.TOOL_PATH", "/nonexistent")
    with pytest.raises(WorldError, match=r"no `nft`.*apt-get install nftables"):
        require_tools()


# -- as an ordinary user -------------------------------------------------------------------------------------


@pytest.fixture
def as_user(tmp_path: Path) -> list[str]:
    """The words before a command that is to run as the ordinary user; skips where that cannot be."""
    if os.geteuid() != 0:
        return []
    words = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if subprocess.run([*words, sys.executable, "-c", "import pyroute2"], cwd="/", check=False).returncode != 0:
        pytest.skip("an ordinary user may not read this Python environment")
    return words


def test_the_whole_path_without_root(as_user: list[str]) -> None:
    """World, region, VPC, endpoint, a real connection, a refused one; holder death; and nothing left."""
    script = Path(__file__).with_name("rootless_world.py")
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*as_user, sys.executable, str(script)],
        text=True,
        capture_output=True,
        cwd="/",
        env=environment,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "all well"
    assert "tidegate-rootless" not in mounts()
