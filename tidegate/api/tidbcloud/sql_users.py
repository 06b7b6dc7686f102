"""SQL users, from IAM (``reference/tidbcloud.md`` 2.6).  Names and roles go out as they are stored, prefix and all."""

from __future__ import annotations

from tidegate.api.tidbcloud.call import Call
from tidegate.api.tidbcloud.paging import Key, parse_size, take_page
from tidegate.api.tidbcloud.wire import Fields, Json
from tidegate.domain.refusals import Malformed
from tidegate.domain.sql_users import AUTH_METHOD, SqlUser
from tidegate.operations import sql_users as operations


def list_sql_users(call: Call) -> Json:
    """No totalSize: IAM is so."""
    cluster_id = call.params["cluster_id"]
    page = take_page(
        operations.list_sql_users(call.context, call.caller, cluster_id),
        _key,
        token=call.query.get("pageToken", ""),
        size=parse_size(call.query.get("pageSize"), default=100),
        skip=0,
        mark=f"sqlUsers {cluster_id}",
    )
    return {"sqlUsers": [build_sql_user(user) for user in page.items], "nextPageToken": page.next_token}


def get_sql_user(call: Call) -> Json:
    found = operations.get_sql_user(call.context, call.caller, call.params["cluster_id"], call.params["user_name"])
    return build_sql_user(found)


def create_sql_user(call: Call) -> Json:
    """Answers when the user can log in."""
    fields = call.fields()
    if (method := fields.text("authMethod")) not in (None, "", AUTH_METHOD):
        raise Malformed("authMethod", str(method))
    new = operations.NewSqlUser(
        name=fields.require_text("userName"),
        password=fields.require_text("password"),
        builtin_role=fields.require_text("builtinRole"),
        custom_roles=_custom_roles(fields) or (),
        auto_prefix=fields.flag("autoPrefix") or False,
    )
    return build_sql_user(operations.create_sql_user(call.context, call.caller, call.params["cluster_id"], new))


def update_sql_user(call: Call) -> Json:
    fields = call.fields()
    asked = operations.SqlUserChange(fields.text("password"), fields.text("builtinRole"), _custom_roles(fields))
    cluster_id, name = call.params["cluster_id"], call.params["user_name"]
    return build_sql_user(operations.update_sql_user(call.context, call.caller, cluster_id, name, asked))


def delete_sql_user(call: Call) -> Json:
    operations.delete_sql_user(call.context, call.caller, call.params["cluster_id"], call.params["user_name"])
    return {"code": 200, "message": "success"}


def build_sql_user(user: SqlUser) -> Json:
    return {
        "userName": user.name,
        "builtinRole": user.builtin_role,
        "customRoles": list(user.custom_roles),
        "authMethod": user.auth_method,
    }


def _custom_roles(fields: Fields) -> tuple[str, ...] | None:
    if not fields.has("customRoles"):
        return None
    roles = fields.list("customRoles")
    if not all(isinstance(role, str) for role in roles):
        raise Malformed("customRoles", "it is not a list of strings")
    return tuple(roles)


def _key(user: SqlUser) -> Key:
    return 0.0, user.name
