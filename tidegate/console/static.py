"""Style, script and pictures: from memory, under names that change with their content, so browsers keep them."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

FOLDER = Path(__file__).parent / "static"
URL = "/console/static"
_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class File:
    body: bytes
    packed: bytes
    kind: str


@cache
def load_files() -> tuple[dict[str, str], dict[str, File]]:
    """(name in the folder -> name in the URL, name in the URL -> file)."""
    names: dict[str, str] = {}
    files: dict[str, File] = {}
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix not in _KINDS:
            continue
        body = path.read_bytes()
        name = path.relative_to(FOLDER).as_posix()
        hashed = f"{path.stem}.{hashlib.sha256(body).hexdigest()[:10]}{path.suffix}"
        names[name] = hashed
        files[hashed] = File(body, gzip.compress(body, 9, mtime=0), _KINDS[path.suffix])
    return names, files


def static_url(name: str) -> str:
    """For templates: ``static_url("app.css")``."""
    return f"{URL}/{load_files()[0][name]}"


async def serve_static(request: Request) -> Response:
    file = load_files()[1].get(request.path_params["name"])
    if file is None:
        return PlainTextResponse("There is no such file.\n", 404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    headers["X-Content-Type-Options"] = "nosniff"
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.packed, media_type=file.kind, headers={**headers, "Content-Encoding": "gzip"})
    return Response(file.body, media_type=file.kind, headers=headers)
