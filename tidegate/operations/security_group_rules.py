"""Rules of security groups: authorize, modify, revoke.  Each is in force in the kernel at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tidegate.domain.catalogue import require_region
from tidegate.domain.names import make_id
from tidegate.domain.refusals import NotFound, PeerKindFixed, QuotaReached, RuleRepeats
from tidegate.domain.security_groups import (
    RULES_PER_GROUP,
    Direction,
    SecurityGroup,
    SecurityGroupRule,
    require_peer,
    require_ports,
    require_priority,
    require_protocol,
    require_verdict,
)
from tidegate.operations.context import Caller, Context, Work, change
from tidegate.operations.security_groups import raise_group_generation, require_security_group


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """A rule as asked for: texts as on the wire, checked by the domain."""

    protocol: str
    ports: str
    policy: str = "accept"
    priority: str = "1"
    peer_cidr: str | None = None
    peer_group: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class RuleChange:
    """What is to become of a rule; None keeps a field as it is."""

    protocol: str | None = None
    ports: str | None = None
    policy: str | None = None
    priority: str | None = None
    peer_cidr: str | None = None
    peer_group: str | None = None
    description: str | None = None


def authorize_rules(
    context: Context, caller: Caller, group_id: str, direction: Direction, specs: Iterable[RuleSpec]
) -> None:
    """Add rules, all or none; an equal rule again changes nothing."""
    with change(context, caller) as work:
        group = require_security_group(work.tx, caller, group_id)
        rules = work.tx.security_group_rules.find(group_id=group_id)
        for spec in specs:
            rule = _rule(context, work, caller, group, direction, spec)
            if any(rule.same_effect(other) for other in rules):
                continue
            rules.append(work.tx.security_group_rules.add(rule))
        if len(rules) > RULES_PER_GROUP:
            raise QuotaReached("rules per security group", RULES_PER_GROUP)
        raise_group_generation(work, group)


def modify_rule(
    context: Context, caller: Caller, group_id: str, direction: Direction, rule_id: str, wanted: RuleChange
) -> None:
    """Change fields of one rule, which keeps its id.

    Raises NotFound(rule_id), PeerKindFixed, RuleRepeats when the rule would equal another.
    """
    with change(context, caller) as work:
        group = require_security_group(work.tx, caller, group_id)
        rules = work.tx.security_group_rules.find(group_id=group_id, direction=direction)
        rule = next((rule for rule in rules if rule.rule_id == rule_id), None)
        if rule is None:
            raise NotFound("rule_id", rule_id)
        if (wanted.peer_cidr and rule.peer_group) or (wanted.peer_group and not wanted.peer_cidr and rule.peer_cidr):
            raise PeerKindFixed(rule_id)
        changed = _rule(context, work, caller, group, direction, _spec_of(rule, wanted))
        changed = replace(changed, rule_id=rule_id, created_at=rule.created_at)
        if any(changed.same_effect(other) for other in rules if other.rule_id != rule_id):
            raise RuleRepeats(rule_id)
        work.tx.security_group_rules.put(changed)
        raise_group_generation(work, group)


def describe_rule(context: Context, caller: Caller, group_id: str, direction: Direction, spec: RuleSpec) -> None:
    """Give the rule that ``spec`` tells its description, unless that is empty.  Raises NotFound(rule)."""
    with change(context, caller) as work:
        group = require_security_group(work.tx, caller, group_id)
        asked = _rule(context, work, caller, group, direction, spec)
        rules = work.tx.security_group_rules.find(group_id=group_id, direction=direction)
        found = [rule for rule in rules if rule.same_effect(asked)]
        if not found:
            raise NotFound("rule", group_id)
        if spec.description:
            work.tx.security_group_rules.put(replace(found[0], description=spec.description))


def revoke_rules(
    context: Context,
    caller: Caller,
    group_id: str,
    direction: Direction,
    *,
    specs: Iterable[RuleSpec] = (),
    rule_ids: Iterable[str] = (),
) -> None:
    """Remove rules by id or by their tuple.

    A tuple without a match is success; an unknown id is NotFound(revoked_rule), and then nothing is removed.
    """
    with change(context, caller) as work:
        group = require_security_group(work.tx, caller, group_id)
        rules = work.tx.security_group_rules.find(group_id=group_id, direction=direction)
        ids = set(rule_ids)
        for unknown in sorted(ids - {rule.rule_id for rule in rules}):
            raise NotFound("revoked_rule", unknown)
        for spec in specs:
            asked = _rule(context, work, caller, group, direction, spec)
            ids |= {rule.rule_id for rule in rules if rule.same_effect(asked)}
        for rule_id in ids:
            work.tx.security_group_rules.remove(rule_id)
        raise_group_generation(work, group)


def _spec_of(rule: SecurityGroupRule, wanted: RuleChange) -> RuleSpec:
    ports = f"{rule.ports[0]}/{rule.ports[1]}" if rule.ports else "-1/-1"
    return RuleSpec(
        protocol=wanted.protocol or rule.protocol,
        ports=wanted.ports or ports,
        policy=wanted.policy or rule.verdict,
        priority=wanted.priority or str(rule.priority),
        peer_cidr=wanted.peer_cidr or rule.peer_cidr,
        peer_group=wanted.peer_group or rule.peer_group,
        description=wanted.description or rule.description,
    )


def _rule(
    context: Context, work: Work, caller: Caller, group: SecurityGroup, direction: Direction, spec: RuleSpec
) -> SecurityGroupRule:
    protocol = require_protocol(spec.protocol)
    cidr, peer = require_peer(group, direction, spec.peer_cidr, spec.peer_group)
    if peer is not None and peer != group.group_id:
        other = work.tx.security_groups.get(peer)
        if other is None or other.account_id != caller.account_id or other.vpc_id != group.vpc_id or other.deleting:
            raise NotFound("peer_group", peer)
    return SecurityGroupRule(
        rule_id=make_id(context.draw, "sgr", require_region(group.region_id).id_infix),
        group_id=group.group_id,
        direction=direction,
        protocol=protocol,
        ports=require_ports(protocol, spec.ports),
        verdict=require_verdict(spec.policy),
        priority=require_priority(spec.priority),
        peer_cidr=cidr,
        peer_group=peer,
        description=spec.description,
        created_at=work.now,
    )
