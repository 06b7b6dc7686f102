"""Run as an ordinary user by test_world.py: the whole path in a world of our own, and its end.

Each stage is a process of its own, because a process can join the world but never leave it::

    python tests/netns/rootless_world.py            # all stages; prints "all well"
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from netns_witness import Place, Server, eventually, talks
from netns_world import ENDPOINT, GATEWAY, HOST, NETWORK, REGION, twin

from tidegate.agent.processes import process_start
from tidegate.agent.world import enter_command, holder_pid, join_world, stop_world
from tidegate.dataplane.config import Namespaces, Publication
from tidegate.dataplane.linux import LinuxDataPlane
from tidegate.settings import Settings


def settings_in(folder: str) -> Settings:
    return Settings(home=Path(folder) / "home", run=Path(folder) / "run", rootless=True)


def agent(folder: str) -> None:
    """Joins, applies, connects: what an agent does, and a client in each VPC."""
    names = join_world(settings_in(folder))
    plane = LinuxDataPlane(names)
    plane.apply_region(REGION)
    plane.apply_network(NETWORK)
    plane.apply_network(twin(NETWORK))
    published_service(names, plane)
    plane.apply_network(NETWORK)
    plane.apply_network(twin(NETWORK))
    assert not plane.apply_network(NETWORK), "a second apply changed something"
    server = Server(Place(names.path("region-1")), GATEWAY, 4000)
    app = Place(names.path("app"))
    with app.connect(ENDPOINT.address, 4000) as connection:
        assert talks(connection)
        assert server.peers[0][0] == ENDPOINT.fabric_address
        plane.apply_network(replace(NETWORK, endpoints=(replace(ENDPOINT, connected=False),)))
        assert not talks(connection), "disconnected, yet it talks"
    assert not Place(names.path("twin")).reaches(ENDPOINT.address, 4000)
    server.close()
    plane.apply_network(NETWORK)
    print(sorted(names.names()))


def published_service(names: Namespaces, plane: LinuxDataPlane) -> None:
    """The twin publishes, its namesake consumes, and not too fast."""
    service = "100.113.0.1"
    limited = replace(ENDPOINT, service_address=service, service_port=0, bandwidth_mbit=100)
    publications = (Publication("epsrv-1", service, HOST.address),)
    plane.apply_network(replace(NETWORK, endpoints=(limited,)))
    plane.apply_network(replace(twin(NETWORK), publications=publications))
    server = Server(Place(names.path("twin")), HOST.address, 4000)
    with Place(names.path("app")).connect(ENDPOINT.address, 4000) as connection:
        assert talks(connection)
        assert server.peers[0][0] == ENDPOINT.fabric_address
        for name in ("vpc-a", "region-1"):
            assert any("rate 100Mbit" in line for line in Place(names.path(name)).shaping()), name
        plane.apply_network(twin(NETWORK))
        assert not talks(connection), "unpublished, yet it talks"
    server.close()


def command(folder: str) -> None:
    enter_command(settings_in(folder), "app", ["sh", "-c", "id -u; cat /etc/resolv.conf"], "nameserver 1.2.3.4\n")


def root_command(folder: str) -> None:
    enter_command(settings_in(folder), "app", ["ip", "-json", "addr", "show", "eth0"], own_user=False)


def long_command(folder: str) -> None:
    enter_command(settings_in(folder), "app", ["sleep", "99"])


def stage(name: str, folder: str) -> str:
    done = subprocess.run(
        [sys.executable, __file__, name, folder], text=True, capture_output=True, check=False, timeout=30
    )
    assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
    return done.stdout


def main(folder: str) -> None:
    settings = settings_in(folder)
    assert "vpc-a" in stage("agent", folder)
    first = holder_pid(settings)
    assert first is not None, "the holder must outlive the agent"
    assert "vpc-a" in stage("agent", folder), "a second agent joins the same world"
    assert holder_pid(settings) == first

    uid, resolver = stage("command", folder).splitlines()
    assert (int(uid), resolver) == (os.getuid(), "nameserver 1.2.3.4")
    [link] = json.loads(stage("root_command", folder))
    assert link["addr_info"][0]["local"] == NETWORK.hosts[0].address

    orphan = subprocess.Popen([sys.executable, __file__, "long_command", folder])
    assert eventually(lambda: _comm(orphan.pid) == "sleep")
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: holder_pid(settings) is None)
    assert "vpc-a" in stage("agent", folder), "the world is made anew"
    assert orphan.wait(5) != 0, "what ran in the dead world would hold its files and sockets"
    second = holder_pid(settings)
    assert second not in (None, first)

    left_open = subprocess.Popen(["nsenter", "-t", str(second), "-U", "-n", "--preserve-credentials", "sleep", "99"])
    assert eventually(lambda: _comm(left_open.pid) == "sleep")
    stop_world(settings)
    assert left_open.wait(5) != 0
    assert holder_pid(settings) is None and second is not None and process_start(second) is None
    stop_world(settings)
    assert not (settings.run / "netns").exists()


def _comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


STAGES = {"agent": agent, "command": command, "root_command": root_command, "long_command": long_command}

if __name__ == "__main__":
    if len(sys.argv) == 3:
        STAGES[sys.argv[1]](sys.argv[2])
    else:
        place = tempfile.mkdtemp(prefix="tidegate-rootless-")
        try:
            main(place)
        finally:
            stop_world(settings_in(place))
            shutil.rmtree(place)
        print("all well")
