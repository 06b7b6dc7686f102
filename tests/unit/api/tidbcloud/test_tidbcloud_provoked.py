"""The audit of ``errors.py``: each refusal that a call can end in was met by a test of this folder.

``conftest.py`` notes each one that answered a request while the folder's tests ran, and this compares; so a new one
needs a test that provokes it, or a place below.
"""

from __future__ import annotations

import pytest

from tidegate.api.tidbcloud.errors import TABLE
from tidegate.domain.refusals import Refusal

OF_NETWORKS = frozenset(
    [
        "AddressUnavailable",
        "BandwidthFixed",
        "CidrOutsideVpc",
        "CidrOverlaps",
        "CrossRegion",
        "DryRunPassed",
        "EndpointExists",
        "EndpointHasZones",
        "EndpointProtected",
        "GroupAttached",
        "GroupJoined",
        "GroupKindsMixed",
        "GroupNotJoined",
        "GroupOfOtherVpc",
        "GroupPeerNotAllowed",
        "GroupRequired",
        "InUse",
        "LastGroup",
        "PeerKindFixed",
        "PeerMissing",
        "PolicyNotChangeable",
        "PortsDoNotFit",
        "ResourceTypeNotServed",
        "RuleRepeats",
        "ServiceGone",
        "ServiceUnknown",
        "SubnetFull",
        "TagMalformed",
        "TagRepeated",
        "TokenReused",
        "UserMismatch",
        "WrongState",
        "ZoneDuplicated",
        "ZoneNotServed",
        "ZoneUnknown",
    ]
)
"""VPCs, groups, endpoints, client tokens: no call of this API leads there; the table is total all the same"""
OF_THE_CONSOLE = frozenset({"NoPrivateEndpoint"})
"""of the Connect dialog, which is the operator's API; here a cluster without private endpoints shows ``{}``"""


def test_every_refusal_of_this_api_was_met(refusals_met: set[type[Refusal]], whole_folder: bool) -> None:
    if not whole_folder:
        pytest.skip("only part of the folder runs: scripts/test unit runs all of it")
    unmet = {kind.__name__ for kind in TABLE if kind not in refusals_met}
    assert unmet == OF_NETWORKS | OF_THE_CONSOLE
