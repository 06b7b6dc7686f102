"""schemathesis over the TiDB Cloud surface: whatever is asked, the answer is what the OpenAPI description says.

It sends what fits the description and what does not, to clusters that are there and to any text in their place.  A
field too many or too few in an answer fails here as it fails in Terraform, which dereferences without a nil check.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from requests.auth import HTTPDigestAuth
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tidbcloud_served import DEADLINE_S, Site, serve_tidbcloud

from tidegate.api.tidbcloud.openapi import build_openapi
from tidegate.domain.sql_users import SqlReply, SqlTask, SqlUser

CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]
NEW = {"displayName": "orders", "region": {"name": "regions/alicloud-ap-southeast-1"}}
EXAMPLES = 15
DESCRIPTION = schemathesis.openapi.from_dict(build_openapi())


class Served:
    """A site whose clusters are up, and whose servers have one SQL user beside root."""

    def __init__(self, site: Site) -> None:
        self.site, self.prefix = site, ""
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = HTTPDigestAuth(site.key.key_id, site.key.secret)
        self.make_cluster()

    def make_cluster(self) -> None:
        made = self.session.post(f"{self.site.url}/v1beta1/clusters", json=NEW, timeout=DEADLINE_S)
        assert made.status_code == 200, made.text
        self.cluster_id, self.prefix = made.json()["clusterId"], made.json()["userPrefix"]
        self.site.settle(self.cluster_id)
        self.make_branch()

    def make_branch(self) -> None:
        url = f"{self.site.url}/v1beta1/clusters/{self.cluster_id}/branches"
        made = self.session.post(url, json={"displayName": "trial"}, timeout=DEADLINE_S)
        assert made.status_code == 200, made.text
        self.branch_id = made.json()["branchId"]

    def real_ids(self) -> dict[str, str]:
        """Of a cluster that can be changed: deletes that came before have taken theirs away."""
        url = f"{self.site.url}/v1beta1/clusters/{self.cluster_id}"
        if self.session.get(url, timeout=DEADLINE_S).json().get("state") != "ACTIVE":
            self.make_cluster()
        if self.session.get(f"{url}/branches/{self.branch_id}", timeout=DEADLINE_S).json().get("state") != "CREATING":
            self.make_branch()
        return {"cluster_id": self.cluster_id, "branch_id": self.branch_id, "user_name": f"{self.prefix}.app"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    there: list[Served] = []

    def ask(cluster_id: str, task: SqlTask) -> SqlReply:
        prefix = there[0].prefix if there else ""
        return SqlReply((SqlUser(f"{prefix}.app", f"{prefix}.role_readonly", (), "mysql_native_password"),))

    with serve_tidbcloud(tmp_path_factory.mktemp("site"), ask) as site:
        there.append(Served(site))
        yield there[0]
        there[0].session.close()


@DESCRIPTION.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)
def test_answers_are_as_described(case: schemathesis.Case, served: Served) -> None:
    real = served.real_ids()
    case.path_parameters = {name: real[name] for name in case.path_parameters or {}}
    require_described(case, served)


@DESCRIPTION.parametrize()
@settings(max_examples=5, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_any_text_in_an_ids_place(case: schemathesis.Case, served: Served) -> None:
    require_described(case, served)


def require_described(case: schemathesis.Case, served: Served) -> None:
    """Any documented status but 500: that one is a fault of ours, however well it is worded."""
    answer = case.call_and_validate(base_url=served.site.url, session=served.session, checks=CHECKS, timeout=DEADLINE_S)
    assert answer.status_code != 500, answer.text
