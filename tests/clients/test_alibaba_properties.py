"""Any well-formed request gets an answer that the official client parses: each action, with generated parameters.

Examples by hand meet the values that their writer thought of.  Here hypothesis chooses, out of real ids, documented
words and any text; the official SDK serialises, sends, and reads the answer into its model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from alibaba_examples import Known, make_known, parameters_of, plain_parameters
from alibaba_site import Clients, Site, serve_site
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_privatelink20200415 import models as pl
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_vpc20160428 import models as vpc
from hypothesis import HealthCheck, given, settings
from sdk_models import require_model

from tidegate.api.alibaba.actions import ACTIONS, Action
from tidegate.api.alibaba.errors import ECS, PRIVATELINK, VPC

MODELS = {VPC: vpc, ECS: ecs, PRIVATELINK: pl}
CASES = [key for key in sorted(ACTIONS) if key[0] in MODELS and key[1] != "CheckProductOpen"]
READS = ("Describe", "List", "Get")
EXAMPLES = 25
CODE = re.compile(r"[A-Za-z]+(\.[A-Za-z0-9]+)*")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serve_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def read_only(site: Site) -> tuple[Clients, Known]:
    """For questions: they leave it as it was."""
    owner = site.other_account()
    return owner.clients(), make_known(owner, owner.clients())


def call(clients: Clients, action: Action, parameters: dict[str, Any]) -> Any:
    """The answer's model, held against what it says of itself, or None for a refusal in the cloud's shape."""
    api = {VPC: clients.vpc, ECS: clients.ecs, PRIVATELINK: clients.privatelink}[action.version]
    request = getattr(MODELS[action.version], f"{action.name}Request")().from_map(parameters)
    method = next(name for name in dir(api) if name.replace("_", "") == action.name.lower())
    try:
        body = getattr(api, method)(request).body
    except ClientException as refused:
        assert refused.status_code in (400, 403, 404) and CODE.fullmatch(refused.code), refused
        assert refused.request_id and refused.request_id.isupper()
        return None
    assert body.request_id
    require_model(body)
    return body


@pytest.mark.parametrize("key", CASES, ids=str)
def test_every_answer_fits_the_model(site: Site, read_only: tuple[Clients, Known], key: tuple[str, str]) -> None:
    """No 5xx, no shape that the SDK does not know, whatever is asked; and a plain question is answered at all."""
    action = ACTIONS[key]
    if action.name.startswith(READS):
        clients, known = read_only
        assert call(clients, action, plain_parameters(known, action)) is not None
    else:
        owner = site.other_account()
        clients = owner.clients()
        known = make_known(owner, clients)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(parameters_of(known, action))
    def ask(parameters: dict[str, Any]) -> None:
        call(clients, action, parameters)

    ask()
