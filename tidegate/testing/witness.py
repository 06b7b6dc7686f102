"""What is really there: links, addresses, routes, rules, listeners, processes; by ``ip``, ``nft``, ``ss``, ``/proc``.

Nothing here asks Tidegate.  Two worlds are the same when :meth:`Witness.state` of both is equal.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidegate.testing.world import World

Json = Any
_UNSTEADY = ("handle", "packets", "bytes")


class Witness:
    """Of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    # namespaces

    def look(self, namespace: str, *command: str) -> str:
        """stdout of a command inside, as root of the world."""
        argv = [*self._world.enter_argv(namespace, of_world=True), *command]
        done = subprocess.run(
            argv, env=self._world.environment(), capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, f"{' '.join(command)} in {namespace}: {done.stderr.strip()}"
        return done.stdout

    def namespaces(self) -> list[str]:
        """The short names of all namespaces of this installation."""
        settings = self._world.settings
        if not settings.rootless:
            prefix = f"tg-{settings.instance}-"
            names = (p.name for p in Path("/run/netns").glob(f"{prefix}*"))
            return sorted(name.removeprefix(prefix) for name in names)
        try:
            holder = json.loads((settings.run / "holder.json").read_text())["pid"]
            return sorted(p.name for p in Path(f"/proc/{holder}/root{settings.run}/netns").iterdir())
        except (OSError, ValueError, KeyError):
            return []

    def state(self) -> Json:
        """The whole network world, fit to be compared: without counters, handles and learned neighbours."""
        return {name: self._namespace_state(name) for name in self.namespaces()}

    def _namespace_state(self, name: str) -> Json:
        script = (
            "ip -json -details link; echo; ip -json -4 addr; echo; ip -json -4 route; echo; "
            "ip -json neigh show nud permanent; echo; ss -HlntuO; echo ---; nft -j list ruleset"
        )
        said, _, rules = self.look(name, "sh", "-c", script).partition("---\n")
        links, addresses, routes, neighbours, *sockets = [line for line in said.splitlines() if line.strip()]
        return {
            "links": sorted(
                (i["ifname"], i.get("address", ""), i.get("ifalias", ""), i["mtu"], i["operstate"], *_kind(i))
                for i in json.loads(links)
            ),
            "addresses": sorted(
                (i["ifname"], a["local"], a["prefixlen"])
                for i in json.loads(addresses)
                if i
                for a in i.get("addr_info", ())
            ),
            "routes": sorted((r["dst"], r.get("gateway", ""), r["dev"]) for r in json.loads(routes)),
            "neighbours": sorted((n["dst"], n["dev"], n["lladdr"]) for n in json.loads(neighbours)),
            "listening": sorted({" ".join(_listener(line)) for line in sockets}),
            "rules": _normal_rules(json.loads(rules)["nftables"]),
        }

    def dropped(self, namespace: str, comment: str) -> int:
        """Packets that the rules with this comment have dropped, at once or by way of ``refused``, which remembers."""
        return sum(
            packets
            for rule in self.rules(namespace)
            if rule.get("comment") == comment and any(_drops(word) for word in rule["expr"])
            for packets in (_packets(rule),)
        )

    def rules(self, namespace: str) -> list[Json]:
        listed = json.loads(self.look(namespace, "nft", "-j", "list", "ruleset"))["nftables"]
        return [entry["rule"] for entry in listed if "rule" in entry]

    # processes

    def processes(self) -> dict[str, list[int]]:
        """``agent``, ``serve``, ``resolvers``, ``gateway-<region>``, ``tidb-<cluster>``, ``holder`` -> living pids."""
        found: dict[str, list[int]] = {}
        for pid in _pids():
            if name := self._name_process(pid):
                found.setdefault(name, []).append(pid)
        return found

    def _name_process(self, pid: int) -> str | None:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
            for word in words:
                config = Path(word.removeprefix("--config="))
                if word.startswith("--config=") and config.is_relative_to(self._world.settings.clusters):
                    return f"tidb-{config.parent.name}"
            environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return None
        if f"TIDEGATE_HOME={self._world.settings.home}".encode() not in environ:
            return None
        if "tidegate.app" in words:
            return "-".join(words[words.index("tidegate.app") + 1 :])
        return "holder" if words[:1] == ["sleep"] else None

    # traces on the host

    def traces(self) -> list[str]:
        """What this installation has left on the host: must be empty once it is stopped."""
        settings = self._world.settings
        left = [f"namespace {name}" for name in self.namespaces()]
        left += [f"process {name} {pid}" for name, pids in self.processes().items() for pid in pids]
        mounts = Path("/proc/self/mounts").read_text().splitlines()
        marks = (f"tg-{settings.instance}-", str(settings.run))
        left += [f"mount {line}" for line in mounts if any(mark in line for mark in marks)]
        group = f"tidegate-{hashlib.sha256(str(settings.clusters).encode()).hexdigest()[:6]}"
        left += [f"CPU group {path}" for depth in ("", "*/") for path in Path("/sys/fs/cgroup").glob(depth + group)]
        return left


def host_state() -> Json:
    """What no installation may change: the host's own links, addresses, routes and rules."""
    links = json.loads(_run("ip", "-json", "link"))
    return {
        "links": sorted(link["ifname"] for link in links),
        "routes": sorted(json.dumps(route, sort_keys=True) for route in json.loads(_run("ip", "-json", "route"))),
        "tables": _run("nft", "list", "tables") if os.geteuid() == 0 else "",
    }


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout or "[]"


def _kind(link: Json) -> tuple[str, str]:
    info = link.get("linkinfo", {})
    return info.get("info_kind", ""), ",".join(sorted(link.get("flags", ())))


def _listener(line: str) -> tuple[str, str]:
    words = line.split()
    return words[0], words[4]


def _drops(word: Json) -> bool:
    return "drop" in word or word.get("goto") == {"target": "refused"}


def _packets(rule: Json) -> int:
    return sum(int(word["counter"]["packets"]) for word in rule["expr"] if isinstance(word.get("counter"), dict))


def _normal_rules(listed: list[Json]) -> list[str]:
    """Order within a chain means something; the order of chains and sets, and of a set's elements, does not."""
    chains: dict[str, list[Json]] = {}
    others = []
    for entry in listed:
        if "metainfo" in entry:
            continue
        steady = _steady(entry)
        if "rule" in steady:
            chains.setdefault(steady["rule"]["chain"], []).append(steady)
        else:
            others.append(json.dumps(steady, sort_keys=True))
    return sorted(others) + [json.dumps(chains[name], sort_keys=True) for name in sorted(chains)]


def _steady(value: Json) -> Json:
    if isinstance(value, dict):
        kept = {k: _steady(v) for k, v in value.items() if k not in _UNSTEADY}
        if "timeout" in kept:  # a set that packets fill, and time empties
            kept.pop("elem", None)
        if isinstance(kept.get("elem"), list):
            kept["elem"] = sorted(kept["elem"], key=lambda element: json.dumps(element, sort_keys=True))
        return kept
    return [_steady(item) for item in value] if isinstance(value, list) else value


def _pids() -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            yield int(entry.name)
