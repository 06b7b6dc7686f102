"""``tidegate env``: every variable that points an existing client here, ready for the shell."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

import typer

from tidegate import installation
from tidegate.cli.clients import CliError
from tidegate.cli.reports import Format, Output, out, print_json
from tidegate.settings import load_settings

ALIBABA_CODES = ("VPC", "ECS", "PRIVATELINK", "STS", "LOCATION")
"""what Terraform asks ALIBABA_CLOUD_ENDPOINT_<CODE> for (terraform-provider-alicloud, connectivity/, 2026-08)"""


def register(app: typer.Typer) -> None:
    app.command(epilog='Example: eval "$(tidegate env)"')(env)


def env(output: Output = Format.TABLE) -> None:
    """Print shell exports that point SDKs, Terraform and the clouds' command lines to this installation.

    They hold this installation's keys, so treat the output as a secret.
    """
    settings = load_settings()
    if installation.describe(settings) is None:
        raise CliError(installation.explain_absence(settings))
    variables = add_overrides(installation.load_environment(settings))
    if output is Format.JSON:
        print_json(variables)
    else:
        out.print(build_exports(variables), markup=False)


def add_overrides(own: Mapping[str, str]) -> dict[str, str]:
    """Our variables, and each client's own for where the API is.

    TIDBCLOUD_*: the Terraform provider reads host:port only and always speaks https (provider.go, 2026-03).
    ALIBABA_CLOUD_ACCOUNT_TYPE saves Terraform 30 s of asking a billing API that is not here (provider.go, 2026-08).
    """
    https, http = own["TIDEGATE_HTTPS"], own["TIDEGATE_HTTP"]
    return {
        **own,
        "TIDBCLOUD_SERVERLESS_ENDPOINT": f"https://{https}",
        "TIDBCLOUD_IAM_ENDPOINT": f"https://{https}",
        **{f"ALIBABA_CLOUD_ENDPOINT_{code}": http for code in ALIBABA_CODES},
        "ALIBABA_CLOUD_ACCOUNT_TYPE": "International",
    }


def build_exports(variables: Mapping[str, str]) -> str:
    """POSIX shell: values are quoted, so nothing in them is ever run."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    ca = shlex.quote(variables["TIDEGATE_CA"])
    https = shlex.quote(f"https://{variables['TIDEGATE_HTTPS']}")
    return "\n".join(
        [
            *lines,
            "# Clients that force https must trust the local CA. These replace the system's roots in this shell,",
            "# so they are not set for you:",
            f"#   export SSL_CERT_FILE={ca}       # Go: Terraform, ticloud, aliyun",
            f"#   export REQUESTS_CA_BUNDLE={ca}  # Python",
            "# ticloud reads its own file instead:",
            f"#   ticloud config set serverless-endpoint {https}; ticloud config set iam-endpoint {https}",
            "# aliyun: aliyun --endpoint $TIDEGATE_HTTP --insecure --region ap-southeast-1 vpc DescribeVpcs",
        ]
    )
