"""The network namespaces of one installation, with root and without.

With root each namespace is a bind mount ``/run/netns/tg-<instance>-<name>``, so ``ip netns list`` and ``ip -n``
show it.  Without root a *holder* process owns a user, mount and network namespace in which only our own user
is mapped (to 0); the bind mounts live on a tmpfs that only the holder's mount namespace sees::

    user's shell          tidegate agent                     tidegate vpc exec
        |                      | join_world: setns              | enter_command: setns, then exec
        |                      v   user, mnt, net               v   user, mnt, net, own resolv.conf
        +--start_holder--> [ holder: sleep, outlives the agent ]
                             <run>/netns/vpc-1, vpc-2, region-...

Namespaces are entered by setns on the network only.  ``ip netns exec`` would remount ``/sys``, and TiDB then
dies in its cgroup detection (seen 2026-11 with release-8.5).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from tidegate.agent.processes import process_start, read_record, write_record
from tidegate.settings import Settings

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE = 4096, 16384, 1 << 18, 1 << 19
MNT_DETACH = 2

ROOT_DIRECTORY = Path("/run/netns")
TOOL_PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
"""Debian leaves /usr/sbin, where ``nft`` is, out of an ordinary user's PATH."""

RESOLVER_SHORTCUTS = (Path("/run/nscd"), Path("/run/systemd/resolve"))
"""Sockets through which libc would ask the host's resolver whatever resolv.conf says."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_libc = ctypes.CDLL(None, use_errno=True)


class WorldError(Exception):
    """The host does not let us make or enter the world; the message says what to change."""


class CommandError(WorldError):
    """A command cannot be run inside; ``exit_status`` as a shell's: 127 there is none, 126 it cannot be executed."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


# -- the four system calls Python 3.11 lacks ---------------------------------------------------------------


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _setns(fd: int, kind: int) -> None:
    _check(_libc.setns(fd, kind), "setns")


def _unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    arguments = [v.encode() if v is not None else None for v in (source, target, kind)]
    options = data.encode() if data is not None else None
    _check(_libc.mount(*arguments, ctypes.c_ulong(flags), options), f"mount {target}")


def _unmount(target: str) -> None:
    _check(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


# -- namespaces ------------------------------------------------------------------------------------------------


class NamedNamespaces:
    """``dataplane.config.Namespaces`` on a directory of bind mounts.  Threads may share one."""

    def __init__(self, directory: Path, prefix: str = "") -> None:
        self._directory = directory
        self._prefix = prefix
        self._lock = threading.Lock()

    def path(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name a namespace: letters, digits, '.', '_' and '-' only.")
        return str(self._directory / (self._prefix + name))

    def names(self) -> frozenset[str]:
        """Every name of ours, also the half-made ones, so that a sweep finds them."""
        try:
            found = [entry.name for entry in self._directory.iterdir()]
        except FileNotFoundError:
            return frozenset()
        return frozenset(n.removeprefix(self._prefix) for n in found if n.startswith(self._prefix))

    def identify(self, name: str) -> object:
        """A value that changes when the namespace of this name is made anew; None while there is none."""
        try:
            return _inode(self.path(name))
        except OSError:
            return None

    def create(self, name: str) -> None:
        path = self.path(name)
        with self._lock:
            if _is_namespace(path):
                return
            self._directory.mkdir(mode=0o755, parents=True, exist_ok=True)
            Path(path).touch(mode=0o444)
            with _back_home():
                _unshare(CLONE_NEWNET)
                _mount("/proc/thread-self/ns/net", path, None, MS_BIND)

    def delete(self, name: str) -> None:
        """Drop the name; the namespace goes when the last process in it does."""
        path = self.path(name)
        with self._lock:
            while _is_namespace(path):
                _unmount(path)
            Path(path).unlink(missing_ok=True)

    @contextlib.contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """Move the calling thread.  Raises FileNotFoundError when there is no such namespace."""
        path = self.path(name)
        if not _is_namespace(path):
            raise FileNotFoundError(f"network namespace {name} does not exist")
        with _opened(path) as there, _back_home():
            _setns(there, CLONE_NEWNET)
            yield


def _is_namespace(path: str) -> bool:
    # A bind-mounted namespace has the device number of nsfs; the plain file under it has the directory's.
    try:
        return Path(path).stat().st_dev == Path("/proc/self/ns/net").stat().st_dev
    except FileNotFoundError:
        return False


def _inode(path: str) -> int:
    return Path(path).stat().st_ino


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def _back_home() -> Iterator[None]:
    with _opened("/proc/thread-self/ns/net") as home:
        try:
            yield
        finally:
            try:
                _setns(home, CLONE_NEWNET)
            except OSError:
                # A thread that stays behind would write one VPC's rules into another's: better no process.
                os.abort()


def open_namespaces(settings: Settings) -> NamedNamespaces:
    """The namespaces as this process sees them; without root only after :func:`join_world`."""
    if settings.rootless:
        return NamedNamespaces(settings.run / "netns")
    return NamedNamespaces(ROOT_DIRECTORY, f"tg-{settings.instance}-")


# -- the holder ------------------------------------------------------------------------------------------------


def require_tools() -> None:
    """Refuse to start without ``nft``; ``ip`` is only for people, but the documentation's examples need it."""
    for tool, package in (("nft", "nftables"), ("ip", "iproute2")):
        if shutil.which(tool, path=TOOL_PATH) is None:
            raise WorldError(f"This host has no `{tool}`. Install it: apt-get install {package}.")


def holder_pid(settings: Settings) -> int | None:
    """The living holder's pid.  A record whose start time differs belongs to a dead one: pids are reused."""
    return read_record(_record(settings.run))


def _record(run: Path) -> Path:
    return run / "holder.json"


def start_holder(settings: Settings) -> int:
    """The holder's pid; starts one when none lives.  Raises :class:`WorldError` with the remedy."""
    settings.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _opened_lock(settings.run / "holder.lock") as lock:
        pid = holder_pid(settings)
        if pid is None:
            # Processes of a world whose holder died still run in it: a database there would keep its files.
            _end_processes(settings, None, grace_s=5.0)
            pid = _spawn_holder(settings.run, lock)
        return pid


@contextlib.contextmanager
def _opened_lock(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        os.close(fd)


def _spawn_holder(run: Path, lock: int) -> int:
    # The holder inherits the lock until it is recorded, so that our death here cannot lead to two of them.
    command = [sys.executable, "-m", "tidegate.agent.world", "hold", str(run), str(lock)]
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=(lock,),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        cwd="/",
    )
    with child, contextlib.suppress(ChildProcessError):
        assert child.stdout is not None
        said = child.stdout.read(4096).decode(errors="replace").strip()
        if said.endswith("ready"):
            child.returncode = 0  # it runs on; nobody is to wait for it
            return child.pid
    raise WorldError(said.splitlines()[-1] if said else "The holder process ended without a word.")


def _hold(run: Path, lock: int) -> None:
    """The holder's main: make the namespaces, record ourselves, become ``sleep``."""
    uid, gid = os.geteuid(), os.getegid()
    try:
        _unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET)
        _map_ids(0, uid, 0, gid)
        _mount("none", "/", None, MS_REC | MS_SLAVE)
        (run / "netns").mkdir(mode=0o700, exist_ok=True)
        _mount("tidegate", str(run / "netns"), "tmpfs", 0, "mode=0700,size=1m")
    except OSError as error:
        sys.exit(explain_refusal(error))
    write_record(_record(run), os.getpid())
    os.write(1, b"ready\n")
    os.set_inheritable(lock, False)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.execvp("sleep", ["sleep", "infinity"])  # noqa: S606


def _map_ids(inner_uid: int, outer_uid: int, inner_gid: int, outer_gid: int) -> None:
    # user_namespaces(7): without privilege one line, of one id, and setgroups denied first.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{inner_uid} {outer_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{inner_gid} {outer_gid} 1")


_SWITCHES = (
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
    ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
    ("user/max_user_namespaces", "0", "user.max_user_namespaces=10000"),
    ("user/max_net_namespaces", "0", "user.max_net_namespaces=10000"),
)
"""(file under /proc/sys, the value that forbids, the remedy): Ubuntu >= 23.10, old Debian, RHEL and hardened."""


def explain_refusal(error: OSError, sysctls: Path = Path("/proc/sys")) -> str:
    """One sentence: why an ordinary user may not make namespaces here, and the exact remedy."""
    for file, forbids, remedy in _SWITCHES:
        with contextlib.suppress(OSError):
            if (sysctls / file).read_text().strip() == forbids:
                return (
                    f"This host does not let ordinary users make network namespaces ({error}). "
                    f"Run once: sudo sysctl -w {remedy} (or run Tidegate as root)."
                )
    return (
        f"This host does not let us make user and network namespaces ({error}); in a container, allow "
        "unshare and mount (docker: --privileged, or --security-opt seccomp=unconfined), or run as root."
    )


def join_world(settings: Settings) -> NamedNamespaces:
    """Put this process into the world, making it when there is none.  With root: nothing to join.

    Must be called before any thread starts: the kernel moves only single-threaded processes between user
    namespaces.  Raises :class:`WorldError`.
    """
    require_tools()
    if settings.rootless:
        _join(start_holder(settings))
    return open_namespaces(settings)


def _join(holder: int) -> None:
    if _inode("/proc/self/ns/user") == _inode(f"/proc/{holder}/ns/user"):
        return
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise WorldError("The world must be joined before any thread starts; this is a bug of ours.")
    here = Path.cwd()
    kinds = (("user", CLONE_NEWUSER), ("mnt", CLONE_NEWNS), ("net", CLONE_NEWNET))
    with contextlib.ExitStack() as stack:
        opened = [(stack.enter_context(_opened(f"/proc/{holder}/ns/{name}")), kind) for name, kind in kinds]
        for fd, kind in opened:
            _setns(fd, kind)
    with contextlib.suppress(OSError):
        os.chdir(here)


# -- the end of the world ----------------------------------------------------------------------------------------


def stop_world(settings: Settings, grace_s: float = 5.0) -> None:
    """Kill every process in the world, then the world.  Call it from outside; the caller is spared."""
    holder = holder_pid(settings) if settings.rootless else None
    _end_processes(settings, holder, grace_s)
    if not settings.rootless:
        names = open_namespaces(settings)
        for name in names.names():
            names.delete(name)
    elif holder is not None:
        _end([holder], signal.SIGKILL, 5.0)
    _record(settings.run).unlink(missing_ok=True)
    for folder in ("netns", "exec"):
        with contextlib.suppress(OSError):
            (settings.run / folder).rmdir()


def _end_processes(settings: Settings, holder: int | None, grace_s: float) -> None:
    _end(world_processes(settings, holder), signal.SIGTERM, grace_s)
    deadline = time.monotonic() + 5.0
    while (left := world_processes(settings, holder)) and time.monotonic() < deadline:
        _end(left, signal.SIGKILL, 1.0)


def world_processes(settings: Settings, holder: int | None = None) -> list[int]:
    """The processes in our user namespace or in one of our network namespaces; not holder, not caller.

    Without root also those of an older world, told by the mount that only a world of this ``run`` folder has.
    """
    ours = _world_inodes(settings, holder)
    spared = {os.getpid(), holder}
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [
        pid
        for pid in pids
        if pid not in spared and (_namespaces_of(pid) & ours or (settings.rootless and _sees_world(pid, settings.run)))
    ]


def _sees_world(pid: int, run: Path) -> bool:
    # proc(5), mountinfo: the fifth word is the mount point, spaces as \\040; after " - " type and source.
    place = str(run / "netns").replace(" ", "\\040")
    try:
        lines = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return any(" - tmpfs tidegate " in line and line.split()[4] == place for line in lines)


def _world_inodes(settings: Settings, holder: int | None) -> set[int]:
    if settings.rootless and holder is None:
        return set()
    if holder is None:
        root = open_namespaces(settings)
        return {_inode(root.path(n)) for n in root.names() if _is_namespace(root.path(n))}
    inside = Path(f"/proc/{holder}/root") / str(settings.run / "netns").lstrip("/")
    inodes = {_inode(f"/proc/{holder}/ns/{kind}") for kind in ("user", "net")}
    with contextlib.suppress(OSError):
        inodes |= {_inode(str(entry)) for entry in inside.iterdir() if _is_namespace(str(entry))}
    return inodes


def _namespaces_of(pid: int) -> set[int]:
    with contextlib.suppress(OSError):
        return {_inode(f"/proc/{pid}/ns/{kind}") for kind in ("user", "net")}
    return set()


def _end(pids: Sequence[int], how: signal.Signals, wait_s: float) -> None:
    """Signal and wait until they are gone or the time is over.  A pidfd cannot hit a successor of the pid."""
    deadline = time.monotonic() + wait_s
    handles = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            handle = os.pidfd_open(pid)
            handles.append((pid, process_start(pid), handle))
            signal.pidfd_send_signal(handle, how)
    while time.monotonic() < deadline and any(process_start(p) == s is not None for p, s, _ in handles):
        time.sleep(0.01)
    for _, _, handle in handles:
        os.close(handle)


# -- a command inside --------------------------------------------------------------------------------------------


def enter_command(
    settings: Settings,
    namespace: str,
    argv: Sequence[str],
    resolv_conf: str | None = None,
    own_user: bool = True,
) -> NoReturn:
    """Become ``argv`` inside ``namespace``, with ``resolv_conf`` (its text) as its own /etc/resolv.conf.

    Ends in exec: terminal, signals and exit status are the command's.  Without root the command sees the
    caller's own uid (a nested user namespace); with ``own_user=False`` it is uid 0 of the world and may run
    tcpdump or ip.  With root it stays root.  Raises :class:`WorldError` when the world or the namespace is
    not there, :class:`CommandError` when there is no such command.
    """
    uid, gid, here = os.geteuid(), os.getegid(), Path.cwd()
    if settings.rootless:
        holder = holder_pid(settings)
        if holder is None:
            raise WorldError("Tidegate is not running here. Start it: tidegate up.")
        _join(holder)
    path = open_namespaces(settings).path(namespace)
    if not _is_namespace(path):
        raise WorldError(f"There is no namespace {namespace}. See what there is: tidegate status.")
    with _opened(path) as there:
        _setns(there, CLONE_NEWNET)
    _own_resolver(settings.run, resolv_conf)
    if settings.rootless and own_user and uid != 0:
        _unshare(CLONE_NEWUSER)
        _map_ids(uid, 0, gid, 0)
    with contextlib.suppress(OSError):
        os.chdir(here)
    try:
        os.execvp(argv[0], list(argv))  # noqa: S606
    except FileNotFoundError as error:
        raise CommandError(f"There is no command {argv[0]} on this host. Give its path, or install it.", 127) from error
    except OSError as error:
        raise CommandError(f"{argv[0]} cannot be executed: {error.strerror}. See: ls -l {argv[0]}.", 126) from error


def _own_resolver(run: Path, text: str | None) -> None:
    _unshare(CLONE_NEWNS)
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    if text is None:
        return
    target = Path(os.path.realpath("/etc/resolv.conf"))
    for folder in RESOLVER_SHORTCUTS:
        if folder.is_dir():
            _mount("tidegate", str(folder), "tmpfs", 0, "mode=0755,size=64k")
    if any(target.is_relative_to(folder) for folder in RESOLVER_SHORTCUTS if folder.is_dir()):
        target.write_text(text)
        target.chmod(0o644)
    elif target.is_file():
        _bind_text(run / "exec", text, target)
    else:
        print(
            f"tidegate: this host has no {target}, so names are not resolved by the VPC's resolver here. "
            f"Make one, it may be empty: sudo touch {target}",
            file=sys.stderr,
        )


def _bind_text(folder: Path, text: str, target: Path) -> None:
    # A tmpfs of this mount namespace alone: it goes with the command, whatever way the command ends.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _mount("tidegate", str(folder), "tmpfs", 0, "mode=0755,size=64k")
    file = folder / "resolv.conf"
    file.write_text(text)
    file.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    _mount(str(file), str(target), None, MS_BIND)


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] != "hold":
        sys.exit("usage: python -m tidegate.agent.world hold RUN LOCK_FD  (started by Tidegate itself)")
    _hold(Path(sys.argv[2]), int(sys.argv[3]))
