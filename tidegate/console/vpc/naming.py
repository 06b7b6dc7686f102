"""The form for a resource's name and description, which three resources share."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from tidegate.console.errors import describe_refusal
from tidegate.console.visit import Visit
from tidegate.domain.refusals import Refusal


def show_naming(
    visit: Visit,
    title: str,
    typed: tuple[str, str],
    back: str,
    fields: Mapping[str, str],
    refusal: Refusal | None = None,
) -> Response:
    """``typed``: name and description.  ``back``: the whole path of the page that "Cancel" leads to.  ``fields``: which
    of the form's fields a refusal's field means.
    """
    name, description = typed
    return visit.render(
        "vpc/words.html",
        status=422 if refusal else 200,
        title=title,
        name=name,
        description=description,
        back=back,
        problem=describe_refusal(refusal, fields) if refusal else None,
    )
