"""A program of a test, inside a VPC: one line of JSON for each thing that happened.

``serve PORT WORD``: says WORD to whoever connects, echoes lines, sends N zero bytes for ``N``.
``dial HOST PORT``: the word that it is told, or how it failed.  ``talk HOST PORT``: so, and again for each line read.
``pull HOST PORT N``: how many of N bytes came.
"""

from __future__ import annotations

import errno
import json
import socket
import socketserver
import sys

TIMEOUT_S = 1.5


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        word = sys.argv[3].encode() + b"\n"
        self.wfile.write(word)
        for line in self.rfile:
            self.wfile.write(bytes(int(line)) if line.strip() else word)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


def tell(outcome: object) -> None:
    print(json.dumps({"outcome": str(outcome)}), flush=True)


def failed(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, socket.gaierror):
        return "nxdomain"
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return "unreachable"
    return "refused" if error.errno == errno.ECONNREFUSED else str(error)


def talk(host: str, port: str) -> None:
    with socket.create_connection((host, int(port)), TIMEOUT_S) as raw, raw.makefile("rb") as answers:
        tell(answers.readline().decode().strip())
        for _ in sys.stdin:
            raw.sendall(b"\n")
            tell(answers.readline().decode().strip())


def dial(host: str, port: str) -> None:
    with socket.create_connection((host, int(port)), TIMEOUT_S) as raw, raw.makefile("rb") as answers:
        tell(answers.readline().decode().strip())


def pull(host: str, port: str, size: str) -> None:
    with socket.create_connection((host, int(port)), TIMEOUT_S) as raw, raw.makefile("rb") as answers:
        raw.settimeout(20)
        answers.readline()
        raw.sendall(size.encode() + b"\n")
        tell(len(answers.read(int(size))))


def serve(port: str, _word: str) -> None:
    with Server(("0.0.0.0", int(port)), Handler) as server:
        tell("listening")
        server.serve_forever()


if __name__ == "__main__":
    try:
        {"serve": serve, "dial": dial, "talk": talk, "pull": pull}[sys.argv[1]](*sys.argv[2:])
    except OSError as error:
        tell(failed(error))
