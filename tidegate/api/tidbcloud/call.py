"""One authenticated request, as the functions that answer it see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.datastructures import QueryParams

from tidegate.api.tidbcloud.wire import Fields, parse_body
from tidegate.operations.context import Caller, Context


@dataclass(frozen=True, slots=True)
class Call:
    """``params`` are the path's; ``tidb_version`` is what a new cluster runs, such as ``v8.5.4``."""

    context: Context
    caller: Caller
    params: Mapping[str, str] = field(default_factory=dict)
    query: QueryParams = field(default_factory=QueryParams)
    body: bytes = b""
    tidb_version: str = ""

    def fields(self) -> Fields:
        return parse_body(self.body)
