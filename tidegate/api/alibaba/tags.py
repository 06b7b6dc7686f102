"""Tags on the wire, in each product's own shape (``reference/alibaba.md`` 3.4, 4, 5.1).

VPC and ECS wrap their lists, PrivateLink does not; VPC and PrivateLink say ``Key``, ECS ``TagKey``; VPC alone writes
``UnTagResources``.  Types of resources are read in any case, because Terraform's differ from the documents'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from tidegate.api.alibaba.actions import Call, action
from tidegate.api.alibaba.errors import ECS, PRIVATELINK, VPC
from tidegate.api.alibaba.paging import page_by_token
from tidegate.api.alibaba.wire import Parameters
from tidegate.domain.refusals import Malformed, Missing, QuotaReached, TagMalformed
from tidegate.domain.tags import TAGS_PER_RESOURCE, TagKind
from tidegate.operations import tags
from tidegate.operations.tags import Wanted

T = TypeVar("T")

_RESOURCES_PER_CALL = 50
_VPC_TYPES: dict[str, TagKind] = {"VPC": "vpc", "VSWITCH": "subnet", "ROUTETABLE": "route_table"}
_ECS_TYPES: dict[str, TagKind] = {"securitygroup": "security_group", "eni": "interface"}
_PRIVATELINK_TYPES: dict[str, TagKind] = {"vpcendpoint": "endpoint", "vpcendpointservice": "service"}


@action(VPC, "TagResources", "RegionId ResourceType", "ResourceId.N Tag.N")
def tag_vpc_resources(call: Call) -> dict[str, Any]:
    return _tag(call, _VPC_TYPES)


@action(VPC, "UnTagResources", "RegionId ResourceType", "ResourceId.N TagKey.N All")
def untag_vpc_resources(call: Call) -> dict[str, Any]:
    return _untag(call, _VPC_TYPES)


@action(VPC, "ListTagResources", "RegionId ResourceType", "ResourceId.N Tag.N MaxResults NextToken")
def list_vpc_tags(call: Call) -> dict[str, Any]:
    rows, token = _list(call, _VPC_TYPES)
    return {"NextToken": token, "TagResources": {"TagResource": rows}}


@action(ECS, "TagResources", "RegionId ResourceType", "ResourceId.N Tag.N")
def tag_ecs_resources(call: Call) -> dict[str, Any]:
    return _tag(call, _ECS_TYPES)


@action(ECS, "UntagResources", "RegionId ResourceType", "ResourceId.N TagKey.N All")
def untag_ecs_resources(call: Call) -> dict[str, Any]:
    return _untag(call, _ECS_TYPES)


@action(ECS, "ListTagResources", "RegionId ResourceType", "ResourceId.N Tag.N NextToken")
def list_ecs_tags(call: Call) -> dict[str, Any]:
    rows, token = _list(call, _ECS_TYPES)
    return {"NextToken": token, "TagResources": {"TagResource": rows}}


@action(PRIVATELINK, "TagResources", "RegionId ResourceType", "ResourceId.N Tag.N ClientToken DryRun")
def tag_privatelink_resources(call: Call) -> dict[str, Any]:
    for tag in call.parameters.structs("Tag"):
        if "Value" not in tag:
            raise TagMalformed("Value", "")
    return _tag(call, _PRIVATELINK_TYPES)


@action(PRIVATELINK, "UntagResources", "RegionId ResourceType", "ResourceId.N TagKey.N All ClientToken DryRun")
def untag_privatelink_resources(call: Call) -> dict[str, Any]:
    return _untag(call, _PRIVATELINK_TYPES)


@action(PRIVATELINK, "ListTagResources", "RegionId ResourceType", "ResourceId.N Tag.N NextToken ClientToken")
def list_privatelink_tags(call: Call) -> dict[str, Any]:
    rows, token = _list(call, _PRIVATELINK_TYPES)
    return {"NextToken": token, "TagResources": rows}


def read_tags(parameters: Parameters) -> list[tuple[str, str]]:
    """``Tag.N.Key`` and ``Tag.N.Value``, to be given to a resource; a missing value is an empty one."""
    return [(tag.text("Key") or "", tag.get("Value") or "") for tag in _structs(parameters)]


def read_wanted(parameters: Parameters) -> list[Wanted]:
    """``Tag.N`` as a filter: all must fit; a tag without a value fits any value."""
    if any(not tag.text("Key") for tag in _structs(parameters)):
        raise TagMalformed("Key", "")
    return [(tag["Key"], tag.get("Value")) for tag in _structs(parameters)]


def only_tagged(call: Call, kind: TagKind, found: Sequence[T], name: Callable[[T], str]) -> Sequence[T]:
    """Those of ``found`` that the call's ``Tag.N`` ask for; ``name`` gives an item's id."""
    wanted = read_wanted(call.parameters)
    if not wanted:
        return found
    ids = tags.find_tagged(call.context, call.caller, kind, wanted)
    return [item for item in found if name(item) in ids]


def show_tags(call: Call, kind: TagKind, resource_ids: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """``[{Key, Value}]`` of each of the resources, in the order of keys."""
    found = tags.tags_of(call.context, kind, resource_ids)
    return {resource_id: _pairs(own, "") for resource_id, own in found.items()}


def show_ecs_tags(call: Call, kind: TagKind, resource_ids: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """``[{TagKey, TagValue}]``: ECS's own names."""
    found = tags.tags_of(call.context, kind, resource_ids)
    return {resource_id: _pairs(own, "Tag") for resource_id, own in found.items()}


def _pairs(own: Mapping[str, str], prefix: str) -> list[dict[str, str]]:
    return [{f"{prefix}Key": key, f"{prefix}Value": own[key]} for key in sorted(own)]


def _tag(call: Call, types: Mapping[str, TagKind]) -> dict[str, Any]:
    pairs = read_tags(call.parameters)
    if not pairs:
        raise TagMalformed("Key", "")
    _, kind = _type(call, types)
    ids = _ids(call)
    if not ids:
        raise Missing("ResourceId")
    tags.tag_resources(call.context, call.caller, kind, ids, pairs, region_id=call.region.region_id)
    return {}


def _untag(call: Call, types: Mapping[str, TagKind]) -> dict[str, Any]:
    """``All`` counts only where no key is named."""
    p = call.parameters
    keys = p.texts("TagKey")
    _, kind = _type(call, types)
    ids = _ids(call)
    if not ids:
        raise Missing("ResourceId")
    if not keys and not p.flag("All"):
        raise TagMalformed("Key", "")
    wanted = keys or None
    tags.untag_resources(call.context, call.caller, kind, ids, wanted, region_id=call.region.region_id)
    return {}


def _list(call: Call, types: Mapping[str, TagKind]) -> tuple[list[dict[str, str]], str]:
    """One page of (resource, tag) rows, and the next token.

    A place in the list is a resource and the number of its tag: keys are too long for a token.
    """
    word, kind = _type(call, types)
    ids, wanted = _ids(call), read_wanted(call.parameters)
    if not ids and not wanted:
        raise Missing("ResourceIdOrTag")
    found = tags.list_tags(
        call.context, call.caller, kind, resource_ids=ids, wanted=wanted, region_id=call.region.region_id
    )
    rows, number, last = [], 0, ""
    for tag in found:
        number = number + 1 if tag.resource_id == last else 0
        last = tag.resource_id
        row = {"ResourceId": last, "ResourceType": word, "TagKey": tag.key, "TagValue": tag.value}
        rows.append((f"{last}/{number:04}", row))
    return page_by_token(call.parameters, call.pages, rows, most=50)


def _type(call: Call, types: Mapping[str, TagKind]) -> tuple[str, TagKind]:
    asked = call.parameters.require("ResourceType")
    for word, kind in types.items():
        if asked.lower() == word.lower():
            return word, kind
    raise Malformed("ResourceType", asked)


def _ids(call: Call) -> list[str]:
    ids = call.parameters.texts("ResourceId")
    if len(ids) > _RESOURCES_PER_CALL:
        raise QuotaReached("resources per call", _RESOURCES_PER_CALL)
    return ids


def _structs(parameters: Parameters) -> list[Parameters]:
    found = parameters.structs("Tag")
    if len(found) > TAGS_PER_RESOURCE:
        raise QuotaReached("tags per call", TAGS_PER_RESOURCE)
    return found
