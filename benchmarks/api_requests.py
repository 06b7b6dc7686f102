"""Whole HTTP requests as bytes, signed before they are sent: Alibaba's ACS3, and AWS's SigV4 for moto."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from tidegate.cli.clients import EMPTY_BODY, VERSIONS, canonical_query, sign_acs3
from tidegate.domain.accounts import AccessKey

_FORM = "application/x-www-form-urlencoded; charset=utf-8"


def build_alibaba(
    address: str, keys: Sequence[AccessKey], product: str, action: str, parameters: dict[str, str], number: int
) -> bytes:
    """As the official Python SDK sends it: everything in the query, no body, every header signed."""
    key, query = keys[number % len(keys)], canonical_query(parameters)
    headers = {
        "host": address,
        "x-acs-action": action,
        "x-acs-version": VERSIONS[product],
        "x-acs-date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": secrets.token_hex(16),
        "x-acs-content-sha256": EMPTY_BODY,
        "accept": "application/json",
        "user-agent": "tidegate-bench",
    }
    headers["authorization"] = sign_acs3(key.key_id, key.secret, "POST", query, headers, EMPTY_BODY)
    return _build("POST", f"/?{query}", headers, b"")


def build_ec2(address: str, region: str, action: str) -> bytes:
    """As boto3 sends it: form body, SigV4.  moto reads the scope and does not check the signature."""
    body = f"Action={action}&Version=2016-11-15".encode()
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{moment[:8]}/{region}/ec2/aws4_request"
    headers = {"content-type": _FORM, "host": address, "x-amz-date": moment}
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = "\n".join(("POST", "/", "", lines, names, hashlib.sha256(body).hexdigest()))
    text = "\n".join(("AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = b"AWS4testing"
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential=testing/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return _build("POST", "/", headers, body)


def _build(method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    lines += [f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body
