"""What clients ask of billing (BssOpenApi) first: Terraform learns from it what kind of account it has."""

from __future__ import annotations

from typing import Any

from tidegate.api.alibaba.actions import Call, action
from tidegate.api.alibaba.errors import BSS


@action(
    BSS,
    "QueryAvailableInstances",
    "",
    "Region PageNum PageSize ProductCode ProductType SubscriptionType InstanceIDs EndTimeStart EndTimeEnd "
    "CreateTimeStart CreateTimeEnd RenewStatus",
)
def query_available_instances(call: Call) -> dict[str, Any]:
    """Nothing is sold here, so nobody has bought an instance.  ``Code`` is Success in this product's answers."""
    p = call.parameters
    page = {"PageNum": p.number("PageNum", 1, 1, 999_999_999), "PageSize": p.number("PageSize", 20, 1, 300)}
    data = {**page, "TotalCount": 0, "InstanceList": []}
    return {"Code": "Success", "Message": "Successful!", "Success": True, "Data": data}
