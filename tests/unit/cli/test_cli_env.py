"""What ``tidegate env`` prints is run by a shell."""

from __future__ import annotations

import json
import subprocess
import sys

from tidegate.cli.access import build_access, choose_server
from tidegate.cli.env import add_overrides, build_exports

OWN = {
    "TIDEGATE_HTTP": "127.0.0.1:8090",
    "TIDEGATE_HTTPS": "127.0.0.1:8090",
    "TIDEGATE_CA": "/home/o'hara/my $HOME/`id`/ca.pem",
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAI",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "a;b&c\"d'e\\f",
    "TIDBCLOUD_PUBLIC_KEY": "public",
    "TIDBCLOUD_PRIVATE_KEY": "x\ny",
}


def test_a_shell_reads_back_exactly_what_is_meant() -> None:
    """Paths and secrets hold quotes, dollars and newlines; none of them may be run."""
    variables = add_overrides(OWN)
    script = (
        build_exports(variables) + f"\nexec {sys.executable} -c 'import os, json; print(json.dumps(dict(os.environ)))'"
    )
    done = subprocess.run(["sh", "-c", script], env={}, capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    assert {name: seen[name] for name in variables} == variables
    assert done.stderr == ""


def test_each_clients_own_overrides() -> None:
    """The Terraform provider of TiDB Cloud reads host only but wants a scheme; Alibaba's wants none."""
    variables = add_overrides(OWN)
    assert variables["TIDBCLOUD_SERVERLESS_ENDPOINT"] == "https://127.0.0.1:8090"
    assert variables["TIDBCLOUD_IAM_ENDPOINT"] == "https://127.0.0.1:8090"
    for code in ("VPC", "ECS", "PRIVATELINK", "STS", "LOCATION"):
        assert variables[f"ALIBABA_CLOUD_ENDPOINT_{code}"] == "127.0.0.1:8090"


def test_plain_http_only_on_the_loopback() -> None:
    """Keys and passwords cross a wire only inside TLS."""
    assert choose_server({"TIDEGATE_HTTP": "127.0.0.1:8090"}).scheme == "http"
    assert choose_server({"TIDEGATE_HTTP": "[::1]:8090"}).scheme == "http"
    assert choose_server({"TIDEGATE_HTTP": "tidegate.example:8090"}).scheme == "https"
    assert choose_server({"TIDEGATE_HTTP": "127.example:8090"}).scheme == "https"


def test_the_printed_variables_are_enough_for_us() -> None:
    assert build_access(add_overrides(OWN)).alibaba.key_id == "LTAI"
