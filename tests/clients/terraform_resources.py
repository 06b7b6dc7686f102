"""The Alibaba Cloud resources of a Terraform configuration, each with the calls that the provider makes, in its order.

From ``reference/alibaba.md`` 6.2 to 6.4, that is ``terraform-provider-alicloud`` 1.289.0, ``resource_alicloud_*.go``.
The provider signs V1.  Its rule resource modifies and revokes over **https whatever the configured protocol is**.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from alibaba_site import Clients, Site
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_privatelink20200415 import models as pl
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_vpc20160428 import models as vpc

T = TypeVar("T")

REGION = "ap-southeast-1"
Attributes = dict[str, Any]
LOOKS = 20


@dataclass
class Provider:
    """``plain`` for what follows the ``protocol`` setting, ``secure`` for what does not."""

    site: Site
    plain: Clients = field(init=False)
    secure: Clients = field(init=False)

    def __post_init__(self) -> None:
        self.plain = self.site.clients(signature_algorithm="v2")
        self.secure = self.site.clients(signature_algorithm="v2", protocol="https")

    def until(self, look: Callable[[], T], done: Callable[[T], bool]) -> T:
        """Poll as Terraform does; the controller, played here, goes on between two looks."""
        for _ in range(LOOKS):
            found = look()
            if done(found):
                return found
            self.site.converge()
        raise AssertionError(f"still {found!r}")


def token(action: str) -> str:
    return f"TF-{action}-{int(time.time())}-{uuid.uuid4()}"[:64]


def gone_by(*codes: str) -> Callable[[ClientException], bool]:
    """Terraform's not-found: status 404, a text with ``NotFound``, or a code that the resource names."""
    return lambda error: error.status_code == 404 or "NotFound" in error.code or error.code in codes


def read_or_none(look: Callable[[], T], gone: Callable[[ClientException], bool]) -> T | None:
    try:
        return look()
    except ClientException as error:
        if gone(error):
            return None
        raise


def as_map(tags: Any, *, key: str = "key", value: str = "value") -> dict[str, str]:
    return {getattr(tag, key): getattr(tag, value) for tag in tags or []}


class Vpc:
    """``alicloud_vpc``."""

    def __init__(self, provider: Provider) -> None:
        self.provider, self.client = provider, provider.plain.vpc

    def create(self, wish: Attributes) -> str:
        made = self.client.create_vpc(
            vpc.CreateVpcRequest(
                region_id=REGION,
                cidr_block=wish["cidr_block"],
                vpc_name=wish["vpc_name"],
                description=wish["description"],
                dry_run=False,
                enable_ipv_6=False,
                client_token=token("CreateVpc"),
            )
        ).body
        self.provider.until(lambda: self._look(made.vpc_id), lambda body: body.status == "Available")
        self._tables(made.vpc_id)
        self._tag(made.vpc_id, {}, wish["tags"])
        return str(made.vpc_id)

    def read(self, name: str) -> Attributes | None:
        body = read_or_none(lambda: self._look(name), gone_by("InvalidVpcID.NotFound"))
        if body is None:
            return None
        (table,) = [row for row in self._tables(name) if row.route_table_type == "System"]
        assert (table.vpc_id, table.router_id) == (name, body.vrouter_id)
        return {
            "cidr_block": body.cidr_block,
            "vpc_name": body.vpc_name,
            "description": body.description,
            "tags": as_map(body.tags.tag),
        }

    def update(self, name: str, old: Attributes, new: Attributes) -> None:
        changed = {k: new[k] for k in ("vpc_name", "description") if old[k] != new[k]}
        if changed:
            self.client.modify_vpc_attribute(vpc.ModifyVpcAttributeRequest(region_id=REGION, vpc_id=name, **changed))
        self._tag(name, old["tags"], new["tags"])

    def delete(self, name: str) -> None:
        self.client.delete_vpc(vpc.DeleteVpcRequest(region_id=REGION, vpc_id=name))
        self.provider.until(lambda: self.read(name), lambda found: found is None)

    def _look(self, name: str) -> Any:
        return self.client.describe_vpc_attribute(vpc.DescribeVpcAttributeRequest(region_id=REGION, vpc_id=name)).body

    def _tables(self, name: str) -> list[Any]:
        asked = vpc.DescribeRouteTableListRequest(region_id=REGION, vpc_id=name, page_number=1, page_size=50)
        rows: list[Any] = self.client.describe_route_table_list(asked).body.router_table_list.router_table_list_type
        return rows

    def _tag(self, name: str, old: dict[str, str], new: dict[str, str], kind: str = "VPC") -> None:
        of = {"region_id": REGION, "resource_type": kind, "resource_id": [name]}
        if removed := sorted(old.keys() - new.keys()):
            self.client.un_tag_resources(vpc.UnTagResourcesRequest(**of, tag_key=removed))
        if added := {k: v for k, v in new.items() if old.get(k) != v}:
            pairs = [vpc.TagResourcesRequestTag(key=k, value=v) for k, v in added.items()]
            self.client.tag_resources(vpc.TagResourcesRequest(**of, tag=pairs))


class VSwitch:
    """``alicloud_vswitch``."""

    def __init__(self, provider: Provider) -> None:
        self.provider, self.client, self.tags = provider, provider.plain.vpc, Vpc(provider)

    def create(self, wish: Attributes) -> str:
        made = self.client.create_vswitch(
            vpc.CreateVSwitchRequest(
                region_id=REGION,
                vpc_id=wish["vpc_id"],
                zone_id=wish["zone_id"],
                cidr_block=wish["cidr_block"],
                v_switch_name=wish["vswitch_name"],
                client_token=token("CreateVSwitch"),
            )
        ).body
        self.provider.until(lambda: self._look(made.v_switch_id), lambda body: body.status == "Available")
        self.tags._tag(made.v_switch_id, {}, wish["tags"], "VSWITCH")
        return str(made.v_switch_id)

    def read(self, name: str) -> Attributes | None:
        body = read_or_none(lambda: self._look(name), gone_by("InvalidVswitchID.NotFound"))
        if body is None or not body.v_switch_id:
            return None
        return {
            "vpc_id": body.vpc_id,
            "zone_id": body.zone_id,
            "cidr_block": body.cidr_block,
            "vswitch_name": body.v_switch_name,
            "tags": as_map(body.tags.tag),
        }

    def update(self, name: str, old: Attributes, new: Attributes) -> None:
        if old["vswitch_name"] != new["vswitch_name"]:
            asked = vpc.ModifyVSwitchAttributeRequest(
                region_id=REGION, v_switch_id=name, v_switch_name=new["vswitch_name"]
            )
            self.client.modify_vswitch_attribute(asked)
        self.tags._tag(name, old["tags"], new["tags"], "VSWITCH")

    def delete(self, name: str) -> None:
        self.client.delete_vswitch(vpc.DeleteVSwitchRequest(region_id=REGION, v_switch_id=name))
        self.provider.until(lambda: self.read(name), lambda found: found is None)

    def _look(self, name: str) -> Any:
        asked = vpc.DescribeVSwitchAttributesRequest(region_id=REGION, v_switch_id=name)
        return self.client.describe_vswitch_attributes(asked).body


class SecurityGroup:
    """``alicloud_security_group``."""

    def __init__(self, provider: Provider) -> None:
        self.provider, self.client = provider, provider.plain.ecs

    def create(self, wish: Attributes) -> str:
        made = self.client.create_security_group(
            ecs.CreateSecurityGroupRequest(
                region_id=REGION,
                vpc_id=wish["vpc_id"],
                security_group_name=wish["security_group_name"],
                description=wish["description"],
                security_group_type=wish["security_group_type"],
                tag=[ecs.CreateSecurityGroupRequestTag(key=k, value=v) for k, v in wish["tags"].items()],
                client_token=token("CreateSecurityGroup"),
            )
        ).body.security_group_id
        if self._look(made).inner_access_policy != wish["inner_access_policy"]:
            self._policy(made, wish["inner_access_policy"])
        return str(made)

    def read(self, name: str) -> Attributes | None:
        listed = self.client.describe_security_groups(
            ecs.DescribeSecurityGroupsRequest(region_id=REGION, security_group_id=name)
        ).body.security_groups.security_group
        if not listed:
            return None
        (row,) = listed
        return {
            "vpc_id": row.vpc_id,
            "security_group_name": row.security_group_name,
            "description": row.description,
            "security_group_type": row.security_group_type,
            "inner_access_policy": self._look(name).inner_access_policy,
            "tags": as_map(row.tags.tag, key="tag_key", value="tag_value"),
        }

    def update(self, name: str, old: Attributes, new: Attributes) -> None:
        changed = {k: new[k] for k in ("security_group_name", "description") if old[k] != new[k]}
        of = {"region_id": REGION, "security_group_id": name}
        if changed:
            self.client.modify_security_group_attribute(ecs.ModifySecurityGroupAttributeRequest(**of, **changed))
        if old["inner_access_policy"] != new["inner_access_policy"]:
            self._policy(name, new["inner_access_policy"])
        tags = {"region_id": REGION, "resource_type": "securitygroup", "resource_id": [name]}
        if removed := sorted(old["tags"].keys() - new["tags"].keys()):
            self.client.untag_resources(ecs.UntagResourcesRequest(**tags, tag_key=removed))
        if added := {k: v for k, v in new["tags"].items() if old["tags"].get(k) != v}:
            pairs = [ecs.TagResourcesRequestTag(key=k, value=v) for k, v in added.items()]
            self.client.tag_resources(ecs.TagResourcesRequest(**tags, tag=pairs))

    def delete(self, name: str) -> None:
        self.client.delete_security_group(ecs.DeleteSecurityGroupRequest(region_id=REGION, security_group_id=name))
        self.provider.until(lambda: self.read(name), lambda found: found is None)

    def _look(self, name: str) -> Any:
        asked = ecs.DescribeSecurityGroupAttributeRequest(region_id=REGION, security_group_id=name)
        return self.client.describe_security_group_attribute(asked).body

    def _policy(self, name: str, policy: str) -> None:
        self.client.modify_security_group_policy(
            ecs.ModifySecurityGroupPolicyRequest(
                region_id=REGION,
                security_group_id=name,
                inner_access_policy=policy,
                client_token=token("ModifySecurityGroupPolicy"),
            )
        )


class SecurityGroupRule:
    """``alicloud_security_group_rule``: its id is its tuple, and it is found again by that."""

    def __init__(self, provider: Provider) -> None:
        self.plain, self.secure = provider.plain.ecs, provider.secure.ecs

    def create(self, wish: Attributes) -> str:
        self.plain.describe_security_group_attribute(
            ecs.DescribeSecurityGroupAttributeRequest(region_id=REGION, security_group_id=wish["security_group_id"])
        )
        of = {"region_id": REGION, "security_group_id": wish["security_group_id"]}
        more = {"client_token": token("AuthorizeSecurityGroup")}
        tuple_ = {**self._tuple(wish), "description": wish["description"]}
        if wish["type"] == "ingress":
            rules = [ecs.AuthorizeSecurityGroupRequestPermissions(**tuple_)]
            self.plain.authorize_security_group(ecs.AuthorizeSecurityGroupRequest(**of, **more, permissions=rules))
        else:
            rules = [ecs.AuthorizeSecurityGroupEgressRequestPermissions(**tuple_)]
            self.plain.authorize_security_group_egress(
                ecs.AuthorizeSecurityGroupEgressRequest(**of, **more, permissions=rules)
            )
        keys = ("security_group_id", "type", "ip_protocol", "port_range", "nic_type", "cidr_ip", "policy", "priority")
        return "|".join(str(wish[key]) for key in keys)

    def read(self, name: str) -> Attributes | None:
        group, direction, protocol, ports, nic, peer, policy, priority = name.split("|")
        body = read_or_none(
            lambda: (
                self.plain.describe_security_group_attribute(
                    ecs.DescribeSecurityGroupAttributeRequest(
                        region_id=REGION, security_group_id=group, direction=direction, nic_type=nic
                    )
                ).body
            ),
            gone_by(),
        )
        for row in body.permissions.permission if body else ():
            cidr = row.source_cidr_ip if direction == "ingress" else row.dest_cidr_ip
            known = (row.ip_protocol.lower(), row.port_range, cidr, row.policy.lower(), str(row.priority))
            if known == (protocol, ports, peer, policy, priority):
                return {
                    "security_group_id": group,
                    "type": row.direction,
                    "ip_protocol": row.ip_protocol.lower(),
                    "port_range": row.port_range,
                    "nic_type": row.nic_type,
                    "policy": row.policy.lower(),
                    "priority": int(row.priority),
                    "cidr_ip": cidr,
                    "description": row.description,
                }
        return None

    def update(self, name: str, old: Attributes, new: Attributes) -> None:
        """Sent twice, and always over https."""
        of = {"region_id": REGION, "security_group_id": old["security_group_id"], **self._tuple(old)}
        for _ in range(2):
            more = {"description": new["description"], "client_token": token("ModifySecurityGroupRule")}
            if old["type"] == "ingress":
                self.secure.modify_security_group_rule(ecs.ModifySecurityGroupRuleRequest(**of, **more))
            else:
                self.secure.modify_security_group_egress_rule(ecs.ModifySecurityGroupEgressRuleRequest(**of, **more))

    def delete(self, name: str) -> None:
        wish = self.read(name)
        assert wish is not None
        of = {"region_id": REGION, "security_group_id": wish["security_group_id"]}
        if wish["type"] == "ingress":
            rules = [ecs.RevokeSecurityGroupRequestPermissions(**self._tuple(wish))]
            self.secure.revoke_security_group(ecs.RevokeSecurityGroupRequest(**of, permissions=rules))
        else:
            rules = [ecs.RevokeSecurityGroupEgressRequestPermissions(**self._tuple(wish))]
            self.secure.revoke_security_group_egress(ecs.RevokeSecurityGroupEgressRequest(**of, permissions=rules))
        assert self.read(name) is None

    def _tuple(self, wish: Attributes) -> dict[str, Any]:
        side = "source" if wish["type"] == "ingress" else "dest"
        return {
            "ip_protocol": wish["ip_protocol"],
            "port_range": wish["port_range"],
            "nic_type": wish["nic_type"],
            "policy": wish["policy"],
            "priority": str(wish["priority"]),
            f"{side}_cidr_ip": wish["cidr_ip"],
        }


class Endpoint:
    """``alicloud_privatelink_vpc_endpoint``: always made without zones."""

    def __init__(self, provider: Provider) -> None:
        self.provider, self.client = provider, provider.plain.privatelink

    def create(self, wish: Attributes) -> str:
        made = self.client.create_vpc_endpoint(
            pl.CreateVpcEndpointRequest(
                region_id=REGION,
                vpc_id=wish["vpc_id"],
                service_name=wish["service_name"],
                security_group_id=sorted(wish["security_group_ids"]),
                endpoint_name=wish["vpc_endpoint_name"],
                endpoint_description=wish["endpoint_description"],
                dry_run=False,
                client_token=token("CreateVpcEndpoint"),
            )
        ).body.endpoint_id
        self._wait(made)
        self._tag(made, {}, wish["tags"])
        return str(made)

    def read(self, name: str) -> Attributes | None:
        body = read_or_none(lambda: self._look(name), gone_by())
        if body is None:
            return None
        of = {"region_id": REGION, "endpoint_id": name}
        tags = self.client.list_tag_resources(
            pl.ListTagResourcesRequest(region_id=REGION, resource_type="VpcEndpoint", resource_id=[name])
        ).body.tag_resources
        groups = self.client.list_vpc_endpoint_security_groups(pl.ListVpcEndpointSecurityGroupsRequest(**of)).body
        return {
            "vpc_id": body.vpc_id,
            "service_name": body.service_name,
            "vpc_endpoint_name": body.endpoint_name,
            "endpoint_description": body.endpoint_description,
            "security_group_ids": {group.security_group_id for group in groups.security_groups},
            "tags": as_map(tags, key="tag_key", value="tag_value"),
        }

    def update(self, name: str, old: Attributes, new: Attributes) -> None:
        of = {"region_id": REGION, "endpoint_id": name}
        self.client.update_vpc_endpoint_attribute(
            pl.UpdateVpcEndpointAttributeRequest(
                **of, endpoint_name=new["vpc_endpoint_name"], endpoint_description=new["endpoint_description"]
            )
        )
        self._wait(name)
        self._tag(name, old["tags"], new["tags"])
        for group in sorted(new["security_group_ids"] - old["security_group_ids"]):
            asked = pl.AttachSecurityGroupToVpcEndpointRequest(**of, security_group_id=group)
            self.client.attach_security_group_to_vpc_endpoint(asked)
            self._wait(name)
        for group in sorted(old["security_group_ids"] - new["security_group_ids"]):
            asked = pl.DetachSecurityGroupFromVpcEndpointRequest(**of, security_group_id=group)
            self.client.detach_security_group_from_vpc_endpoint(asked)
            self._wait(name)

    def delete(self, name: str) -> None:
        self.client.delete_vpc_endpoint(pl.DeleteVpcEndpointRequest(region_id=REGION, endpoint_id=name))
        self.provider.until(lambda: self.read(name), lambda found: found is None)

    def _look(self, name: str) -> Any:
        asked = pl.GetVpcEndpointAttributeRequest(region_id=REGION, endpoint_id=name)
        return self.client.get_vpc_endpoint_attribute(asked).body

    def _wait(self, name: str) -> None:
        self.provider.until(lambda: self._look(name).endpoint_status, lambda status: status == "Active")

    def _tag(self, name: str, old: dict[str, str], new: dict[str, str]) -> None:
        of = {"region_id": REGION, "resource_type": "VpcEndpoint", "resource_id": [name]}
        if removed := sorted(old.keys() - new.keys()):
            self.client.untag_resources(pl.UntagResourcesRequest(**of, tag_key=removed))
        if added := {k: v for k, v in new.items() if old.get(k) != v}:
            pairs = [pl.TagResourcesRequestTag(key=k, value=v) for k, v in added.items()]
            self.client.tag_resources(pl.TagResourcesRequest(**of, tag=pairs))


class EndpointZone:
    """``alicloud_privatelink_vpc_endpoint_zone``: its id is ``<endpoint>:<zone>``."""

    def __init__(self, provider: Provider) -> None:
        self.provider, self.client = provider, provider.plain.privatelink

    def create(self, wish: Attributes) -> str:
        self.client.add_zone_to_vpc_endpoint(
            pl.AddZoneToVpcEndpointRequest(
                region_id=REGION,
                endpoint_id=wish["endpoint_id"],
                zone_id=wish["zone_id"],
                v_switch_id=wish["vswitch_id"],
                client_token=token("AddZoneToVpcEndpoint"),
            )
        )
        name = f"{wish['endpoint_id']}:{wish['zone_id']}"
        self.provider.until(lambda: self._look(name), lambda row: row and row.zone_status in ("Wait", "Connected"))
        return name

    def read(self, name: str) -> Attributes | None:
        row = self._look(name)
        if row is None:
            return None
        return {"endpoint_id": name.partition(":")[0], "zone_id": row.zone_id, "vswitch_id": row.v_switch_id}

    def update(self, name: str, old: Attributes, new: Attributes) -> None:
        raise AssertionError("each of its fields makes a new one")

    def delete(self, name: str) -> None:
        endpoint, _, zone = name.partition(":")
        self.client.remove_zone_from_vpc_endpoint(
            pl.RemoveZoneFromVpcEndpointRequest(region_id=REGION, endpoint_id=endpoint, zone_id=zone)
        )
        self.provider.until(lambda: self.read(name), lambda found: found is None)

    def _look(self, name: str) -> Any:
        endpoint, _, zone = name.partition(":")
        asked = pl.ListVpcEndpointZonesRequest(region_id=REGION, endpoint_id=endpoint)
        rows = read_or_none(lambda: self.client.list_vpc_endpoint_zones(asked).body.zones, gone_by())
        return next((row for row in rows or () if row.zone_id == zone), None)
