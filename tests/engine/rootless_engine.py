"""Run by test_engine_rootless.py inside ``unshare -rn`` as an ordinary user: one cluster's life, in one JSON line.

The namespace of the server is another than the driver's, as it is in the agent.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from engine_bench import ADDRESS, Bench


def main(root: Path, binary: Path) -> dict[str, object]:
    holder = subprocess.Popen(["unshare", "-n", "sleep", "600"])
    try:
        namespace = Path(f"/proc/{holder.pid}/ns/net")
        while namespace.readlink() == Path("/proc/self/ns/net").readlink():
            pass
        enter = ["nsenter", f"--net={namespace}", "ip"]
        subprocess.run([*enter, "link", "set", "lo", "up"], check=True)
        for address in (ADDRESS, "100.64.0.77"):
            subprocess.run([*enter, "addr", "add", f"{address}/32", "dev", "lo"], check=True)
        return live(Bench(root, binary, namespace))
    finally:
        holder.kill()


def live(bench: Bench) -> dict[str, object]:
    try:
        first = bench.make()
        rows = bench.sql("SELECT CURRENT_USER()")
        bench.engine.close()
        bench.engine = bench.another_engine()
        bench.engine.adopt()
        adopted = bench.make()
        return {"phase": first.phase, "rows": rows, "same_pid": adopted.pid == first.pid}
    finally:
        bench.engine.stop_all()


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]))))
