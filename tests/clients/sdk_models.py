"""Holding an answer against the official SDK's model: no field that it does not know, no value of another type."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

OTHER_THAN_MODELLED = frozenset({"DescribeSecurityGroupAttributeResponseBodyPermissionsPermission.priority"})
"""a number in the cloud's documents, a text in its models: docs/fidelity.md ("Priority of a rule")"""


def require_model(body: Any) -> None:
    """Each value has the type that its model names: ``from_map`` itself keeps whatever came."""
    hints = get_type_hints(type(body).__init__, vars(__import__(type(body).__module__, fromlist=["x"])))
    for name, value in vars(body).items():
        wanted = hints.get(name)
        if value is None or wanted is None or f"{type(body).__name__}.{name}" in OTHER_THAN_MODELLED:
            continue
        if isinstance(value, list):
            item = get_args(wanted)[0]
            for one in value:
                assert isinstance(one, item), f"{type(body).__name__}.{name}: {one!r}"
                if hasattr(one, "to_map"):
                    require_model(one)
        elif hasattr(value, "to_map"):
            assert isinstance(value, wanted), f"{type(body).__name__}.{name}: {value!r}"
            require_model(value)
        else:
            assert type(value) is wanted, f"{type(body).__name__}.{name}: {value!r} is no {wanted}"
