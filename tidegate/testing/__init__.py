"""An installation of one's own for a test: real TiDB, real VPCs, real packets, gone afterwards.

::

    World ──> vpc("a") ──> client()          a program's place: an address, a security group, a namespace
      |          └──────> endpoint(cluster)  an interface endpoint in it, Active and Connected
      └─────> cluster("orders")              a TiDB cluster, ACTIVE

A world takes three lines, in pytest with the fixture of ``tidegate.testing.plugin``::

    pytest_plugins = ["tidegate.testing.plugin"]          # in conftest.py

    def test_only_a_reaches_it(tidegate_world):
        a, b = tidegate_world.vpc("a"), tidegate_world.vpc("b")
        endpoint = a.endpoint(tidegate_world.cluster("orders"))
        assert a.client().reaches(endpoint) and not b.client().reaches(endpoint)

Everything is made through the public APIs, as the clouds' own clients make it; ``world.environment()`` points those
clients here.  ``witness.py`` sees with ``ip -json``, ``nft -j`` and ``/proc``, never with Tidegate's own status.
"""

from tidegate.testing.clients import Attempt, Client, Session
from tidegate.testing.vpcs import Cluster, Endpoint, Vpc
from tidegate.testing.waiting import wait_until
from tidegate.testing.world import World

__all__ = ["Attempt", "Client", "Cluster", "Endpoint", "Session", "Vpc", "World", "wait_until"]
