"""Who may see a published service and connect to it."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.domain.refusals import Missing, UserMismatch
from tidegate.domain.services import allow, arn_account, disallow, require_arn, require_user
from tidegate.operations.context import Caller, Context, change
from tidegate.operations.services import require_service


@dataclass(frozen=True, slots=True)
class Users:
    """Both lists of a service, each in the order of its texts."""

    user_ids: tuple[str, ...]
    arns: tuple[str, ...]


def list_users(context: Context, caller: Caller, service_id: str) -> Users:
    with context.store.read() as tx:
        service = require_service(tx, caller, service_id)
    return Users(tuple(sorted(service.allowed_accounts)), tuple(sorted(service.allowed_arns)))


def add_user(context: Context, caller: Caller, service_id: str, user_id: str | None, arn: str | None) -> None:
    """Raises Missing when neither is named, UserMismatch when they are two accounts, Malformed, QuotaReached."""
    ids, arns = _require_named(user_id, arn)
    with change(context, caller) as work:
        service = require_service(work.tx, caller, service_id)
        work.tx.services.put(allow(service, ids, arns))


def remove_user(context: Context, caller: Caller, service_id: str, user_id: str | None, arn: str | None) -> None:
    """From now on that account neither sees the service nor connects to it; its connections stay until disabled."""
    ids, arns = _require_named(user_id, arn)
    with change(context, caller) as work:
        service = require_service(work.tx, caller, service_id)
        work.tx.services.put(disallow(service, ids, arns))


def _require_named(user_id: str | None, arn: str | None) -> tuple[list[str], list[str]]:
    if user_id is None and arn is None:
        raise Missing("UserArn")
    ids = [] if user_id is None else [require_user(user_id)]
    arns = [] if arn is None else [require_arn(arn)]
    if ids and arns and arn_account(arns[0]) != ids[0]:
        raise UserMismatch(ids[0], arns[0])
    return ids, arns
