"""Moving resources between resource groups: one call in each product, each with a name of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.api.alibaba.actions import Call, action
from tidegate.api.alibaba.errors import ECS, PRIVATELINK, VPC
from tidegate.domain.refusals import Malformed
from tidegate.operations.resource_groups import GroupedKind, move_resource

_VPC_TYPES: dict[str, GroupedKind] = {"vpc": "vpc"}
_ECS_TYPES: dict[str, GroupedKind] = {"securitygroup": "security_group", "eni": "interface"}
_PRIVATELINK_TYPES: dict[str, GroupedKind] = {"vpcendpoint": "endpoint", "vpcendpointservice": "service"}


@action(VPC, "MoveResourceGroup", "RegionId ResourceId ResourceType NewResourceGroupId")
def move_resource_group(call: Call) -> dict[str, Any]:
    return _move(call, _VPC_TYPES, "NewResourceGroupId", call.parameters.require("ResourceType"))


@action(ECS, "JoinResourceGroup", "RegionId ResourceId ResourceType ResourceGroupId")
def join_resource_group(call: Call) -> dict[str, Any]:
    return _move(call, _ECS_TYPES, "ResourceGroupId", call.parameters.require("ResourceType"))


@action(PRIVATELINK, "ChangeResourceGroup", "RegionId ResourceId ResourceGroupId", "ResourceType")
def change_resource_group(call: Call) -> dict[str, Any]:
    return _move(call, _PRIVATELINK_TYPES, "ResourceGroupId", call.parameters.text("ResourceType") or "VpcEndpoint")


def _move(call: Call, types: Mapping[str, GroupedKind], name: str, word: str) -> dict[str, Any]:
    """``word`` is the type, in any case; ``name`` the parameter that holds the group."""
    if word.lower() not in types:
        raise Malformed("ResourceType", word)
    p = call.parameters
    move_resource(
        call.context,
        call.caller,
        types[word.lower()],
        p.require("ResourceId"),
        p.require(name),
        region_id=call.region.region_id,
    )
    return {}
