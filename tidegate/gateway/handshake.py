"""One login, without I/O: bytes and news in, commands out.

::

    client                        gateway                                   database
      <-- greeting (own salt) -----|
      --- SSLRequest ------------> |  StartTls                              (only if offered)
      --- HandshakeResponse -----> |  prefix -> Route
                                   |  Wake, when it is not ready
                                   |  Dial ---- PROXY v2 header ----------->
                                   | <---------------------- greeting ------
                                   |  StartServerTls                        (only if the client's own leg is TLS)
                                   |  --- response, unknown plug-in ------->   so it asks again with ITS salt
      <------------------------------- AuthSwitch (database's salt) --------
      --- answer -------------------------------------------------------->     any number of rounds
                                   | <---------------------- OK ------------
                                   |  Done: the OK, still to be sent, and what was read beyond it

Exactly the capabilities that the client chose from TiDB's own set go to the database, so the bytes after the OK
fit both sides without anybody in between.  The unknown plug-in is TiProxy's way (pkg/proxy/backend/authenticator.go,
``unknownAuthPlugin``; seen 2026-11): no proxy needs to know a password.

A client that came with TLS is brought to the database with TLS: so its account may ask for it (``REQUIRE SSL``), and
the session's ``Ssl_cipher`` tells the truth, that no leg is in clear.  A plain one stays plain, and is refused there.

What the client gives as connection id is the gateway's; ``SELECT CONNECTION_ID()`` tells the database's, for KILL.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto

from tidegate.gateway import refusals
from tidegate.gateway.commands import (
    Command,
    Dial,
    Done,
    LoginTerms,
    Refuse,
    SendClient,
    SendServer,
    StartServerTls,
    StartTls,
    Turn,
    Wake,
)
from tidegate.gateway.config import Route
from tidegate.gateway.framing import PacketBuffer, PacketError, PacketTooLargeError, build_packet
from tidegate.gateway.packets import (
    ERR_HEADER,
    MORE_DATA_HEADER,
    OK_HEADER,
    SWITCH_HEADER,
    AuthSwitch,
    Capability,
    Greeting,
    HandshakeResponse,
    build_auth_switch,
    build_err,
    build_greeting,
    build_handshake_response,
    build_more_data,
    build_ssl_request,
    is_ssl_request,
    parse_auth_switch,
    parse_capabilities,
    parse_err,
    parse_greeting,
    parse_handshake_response,
)
from tidegate.gateway.proxy_protocol import ProxyHeader, build_proxy_header
from tidegate.gateway.refusals import Refusal

# What TiDB 8.5 offers (pkg/server/server.go, defaultCapability).  A test compares it with the real server's greeting.
TIDB_CAPABILITIES = (
    Capability.LONG_PASSWORD
    | Capability.FOUND_ROWS
    | Capability.LONG_FLAG
    | Capability.CONNECT_WITH_DB
    | Capability.COMPRESS
    | Capability.LOCAL_FILES
    | Capability.PROTOCOL_41
    | Capability.INTERACTIVE
    | Capability.TRANSACTIONS
    | Capability.SECURE_CONNECTION
    | Capability.MULTI_STATEMENTS
    | Capability.MULTI_RESULTS
    | Capability.PLUGIN_AUTH
    | Capability.CONNECT_ATTRS
    | Capability.DEPRECATE_EOF
    | Capability.ZSTD
)
# Some clients use plug-ins without saying so (node's mysql; TiProxy's remark), and AuthSwitch needs all three.
ALWAYS = Capability.PROTOCOL_41 | Capability.SECURE_CONNECTION | Capability.PLUGIN_AUTH
UNKNOWN_PLUGIN = b"auth_unknown_plugin"
NATIVE_PASSWORD, CACHING_SHA2 = "mysql_native_password", "caching_sha2_password"
FAST_AUTH_OK, FULL_AUTH_WANTED, KEY_WANTED = b"\x03", b"\x04", b"\x02"
# Never the client's own answer: it belongs to our salt, and may be a password in clear.  TiDB looks at its
# presence only, for "(using password: YES)".
STUB_AUTH = b"\0" * 20
READ_BYTES = 16384
MAX_REDIALS = 5
USER_SHOWN = 96  # characters; TiDB allows 32 for a name without the prefix


class State(Enum):
    """Where a login is.  Only the state named here may follow."""

    RESPONSE = auto()  # -> TLS, DENYING, WAKING, DIALLING
    TLS = auto()  # -> RESPONSE
    DENYING = auto()  # -> OVER
    WAKING = auto()  # -> DIALLING
    DIALLING = auto()  # -> GREETING, WAKING (MAX_REDIALS times)
    GREETING = auto()  # -> SECURING, AUTH
    SECURING = auto()  # -> AUTH
    AUTH = auto()  # -> OVER
    OVER = auto()


_TURNS: dict[State, Turn] = {
    State.RESPONSE: "client",
    State.TLS: "client",
    State.DENYING: "client",
    State.WAKING: "gateway",
    State.DIALLING: "gateway",
    State.GREETING: "server",
}


class _OutOfOrderError(PacketError):
    """A sequence number is not the next one."""


class _Lane:
    """One connection's packets: both directions share one run of sequence numbers."""

    def __init__(self) -> None:
        self.buffer = PacketBuffer()
        self._seq = 0

    def next_payload(self) -> bytes | None:
        packet = self.buffer.next_packet()
        if packet is None:
            return None
        due, self._seq = self._seq, (packet.seq + 1) & 0xFF  # also for the ERR that answers a wrong number
        if packet.seq != due:
            raise _OutOfOrderError(f"packet {packet.seq} came where {due} is due")
        return packet.payload

    def skip(self) -> None:
        """Count a packet that is refused unread, so that its ERR bears the number which the peer waits for."""
        self._seq = (self._seq + 1) & 0xFF

    def frame(self, payload: bytes) -> bytes:
        data = build_packet(self._seq, payload)
        self._seq = (self._seq + 1) & 0xFF
        return data


class Handshake:
    """The state machine of one login.  Call ``start``, then whatever ``turn`` asks for, until Done or Refuse."""

    def __init__(self, terms: LoginTerms) -> None:
        self._terms = terms
        self._state = State.RESPONSE
        self._client, self._server = _Lane(), _Lane()
        self._secure = False
        self._response: HandshakeResponse | None = None
        self._inner: HandshakeResponse | None = None
        self._route: Route | None = None
        self._redials = 0
        self._auth_turn: Turn = "server"
        self._switch: AuthSwitch | None = None
        self._full_auth = False

    @property
    def turn(self) -> Turn:
        """Who moves next; "gateway": the answer to a Wake or Dial."""
        return self._auth_turn if self._state is State.AUTH else _TURNS.get(self._state, "gateway")

    @property
    def over(self) -> bool:
        return self._state is State.OVER

    @property
    def route(self) -> Route | None:
        return self._route

    @property
    def user(self) -> str | None:
        """The full SQL user name for messages and logs, once the client said it; a hostile one is cut short."""
        return self._response.user.decode("utf-8", "replace")[:USER_SHOWN] if self._response else None

    @property
    def client_read_bytes(self) -> int:
        """How much to read from the client at most.

        Exact while a TLS handshake may follow: its bytes must stay in the socket, for TLS to read them there.
        """
        tls_may_follow = self._state is State.RESPONSE and not self._secure
        return self._client.buffer.missing_bytes or READ_BYTES if tls_may_follow else READ_BYTES

    def start(self) -> list[Command]:
        """The gateway's greeting: TiDB's capabilities, and TLS where the service offers it."""
        offered = TIDB_CAPABILITIES if self._terms.tls == "not_offered" else TIDB_CAPABILITIES | Capability.SSL
        terms = self._terms
        greeting = Greeting(terms.server_version, terms.connection_id, terms.salt, offered)
        return [self._to_client(build_greeting(greeting))]

    # ---- the client speaks

    def receive_client(self, data: bytes) -> list[Command]:
        """Bytes from the client, in any pieces.  What it says out of turn is kept for later, within bounds."""
        try:
            self._client.buffer.feed(data)
            return self._read_client()
        except PacketTooLargeError as error:
            self._client.skip()
            return self._refuse(refusals.too_large(str(error)))
        except _OutOfOrderError as error:
            return self._refuse(refusals.out_of_order(str(error)))
        except PacketError as error:
            return self._refuse(refusals.malformed(str(error)))

    def _read_client(self) -> list[Command]:
        if self.turn != "client" or self._state is State.TLS:
            return self._require_patience()
        payload = self._client.next_payload()
        if payload is None:
            return []
        if self._state is State.RESPONSE:
            return self._on_first_packet(payload)
        if self._state is State.DENYING:
            return self._deny(using_password=bool(payload.strip(b"\0")))
        return self._on_answer(payload)

    def _require_patience(self) -> list[Command]:
        if self._state is State.TLS:
            # Bytes in clear behind an SSLRequest would pass for bytes of the TLS session: an injection.
            raise PacketError("bytes in clear follow the request for TLS")
        if len(self._client.buffer) > 4 * READ_BYTES:
            raise PacketTooLargeError("the client sends before its login is answered")
        return []

    def _on_first_packet(self, payload: bytes) -> list[Command]:
        if not parse_capabilities(payload) & Capability.PROTOCOL_41:
            return self._refuse(refusals.protocol_too_old())
        if not self._secure and is_ssl_request(payload):
            return self._on_ssl_request()
        if self._terms.tls == "required" and not self._secure:
            return self._refuse(refusals.insecure_transport())
        self._response = parse_handshake_response(payload)
        return self._on_response(self._response)

    def _on_ssl_request(self) -> list[Command]:
        if self._terms.tls == "not_offered":
            return self._refuse(refusals.tls_not_offered())
        self._state = State.TLS
        if len(self._client.buffer):
            return self._require_patience()
        return [StartTls()]

    def tls_started(self) -> list[Command]:
        """The client's connection is encrypted from here on."""
        self._secure, self._state = True, State.RESPONSE
        return []

    def tls_failed(self, why: str) -> list[Command]:
        return self._refuse(refusals.tls_failed(why))

    def _on_response(self, response: HandshakeResponse) -> list[Command]:
        prefix, dot, name = response.user.partition(b".")
        if not dot or not prefix:
            return self._refuse(refusals.missing_prefix())
        self._route = self._terms.find_route(prefix.decode("utf-8", "replace"))
        if self._route is None:
            return self._on_unknown_prefix(name)
        if refusal := self._terms.admit(self._route):
            return self._refuse(refusal)
        return self._wake(self._route) if not self._route.ready else self._dial(self._route)

    def _on_unknown_prefix(self, name: bytes) -> list[Command]:
        """Do what a cluster would: ask ``root``, whom each has, for the password; deny any other name at once.

        That is TiDB's own course (``checkAuthPlugin``), so neither text nor order of packets tells whether the
        prefix exists.  Time may: a real cluster needs a connection more, and a sleeping one has to start.
        """
        if name != b"root":
            return self._deny(using_password=self._gave_password)
        self._state = State.DENYING
        return [self._to_client(build_auth_switch(AuthSwitch(NATIVE_PASSWORD, self._terms.salt)))]

    def _deny(self, *, using_password: bool) -> list[Command]:
        return self._refuse(refusals.unknown_prefix(self.user or "", self._terms.client[0], using_password))

    @property
    def _gave_password(self) -> bool:
        # An empty password is no bytes, or for caching_sha2_password a lone NUL.
        return self._response is not None and self._response.auth not in (b"", b"\0")

    # ---- the way to the database

    def _wake(self, route: Route) -> list[Command]:
        self._state = State.WAKING
        return [Wake(route)]

    def woken(self, route: Route) -> list[Command]:
        """The cluster is ready, perhaps at another address than before."""
        self._route = route
        return self._dial(route)

    def wake_failed(self, why: str) -> list[Command]:
        return self._refuse(refusals.cluster_not_started(self._cluster_id, why))

    def _dial(self, route: Route) -> list[Command]:
        self._state, self._server = State.DIALLING, _Lane()
        return [Dial(route)]

    def connected(self) -> list[Command]:
        self._state = State.GREETING
        terms = self._terms
        return [SendServer(build_proxy_header(ProxyHeader(*terms.client, *terms.local, terms.endpoint_id)))]

    def dial_failed(self, why: str) -> list[Command]:
        """A cluster thought ready may have died or gone to sleep this moment: have it woken, a few times."""
        if self._route is None or self._redials == MAX_REDIALS:
            return self._refuse(refusals.database_unreachable(self._cluster_id, why))
        self._redials += 1
        return self._wake(self._route)

    @property
    def _cluster_id(self) -> str:
        return self._route.cluster_id if self._route else ""

    # ---- the database speaks

    def receive_server(self, data: bytes) -> list[Command]:
        """Bytes from the database, in any pieces."""
        commands: list[Command] = []
        try:
            self._server.buffer.feed(data)
            while self.turn == "server" and (payload := self._server.next_payload()) is not None:
                commands += self._on_server(payload)
        except PacketError as error:
            commands += self._refuse(refusals.database_unsuitable(self._cluster_id, str(error)))
        return commands + self._what_the_client_said_meanwhile()

    def _what_the_client_said_meanwhile(self) -> list[Command]:
        pending = self._state is State.AUTH and self.turn == "client" and len(self._client.buffer)
        return self.receive_client(b"") if pending else []

    def _on_server(self, payload: bytes) -> list[Command]:
        if not payload:
            raise PacketError("an empty packet")
        if payload[0] == ERR_HEADER:
            return self._refuse(refusals.refused_by_database(parse_err(payload)))
        if self._state is State.GREETING:
            return self._on_greeting(parse_greeting(payload))
        return self._on_auth_packet(payload)

    def _on_greeting(self, greeting: Greeting) -> list[Command]:
        assert self._response is not None
        capabilities = self._response.capabilities & TIDB_CAPABILITIES | ALWAYS
        if missing := capabilities & ~greeting.capabilities:
            raise PacketError(f"it lacks capabilities that the client was promised (0x{int(missing):x})")
        self._state = State.AUTH
        stub = STUB_AUTH if self._gave_password else b""
        response = replace(self._response, capabilities=capabilities, auth=stub, auth_plugin=UNKNOWN_PLUGIN)
        if self._secure and greeting.capabilities & Capability.SSL:
            return self._secure_server(response)
        return self._respond(response)

    def _secure_server(self, response: HandshakeResponse) -> list[Command]:
        if len(self._server.buffer):
            raise PacketError("it speaks on before it is asked for TLS")
        self._state = State.SECURING
        self._inner = replace(response, capabilities=response.capabilities | Capability.SSL)
        request = build_ssl_request(self._inner.capabilities, response.max_packet_bytes, response.collation)
        return [SendServer(self._server.frame(request)), StartServerTls()]

    def server_tls_started(self) -> list[Command]:
        """The database's connection is encrypted from here on."""
        assert self._inner is not None
        self._state = State.AUTH
        return self._respond(self._inner)

    def server_tls_failed(self, why: str) -> list[Command]:
        return self._refuse(refusals.database_unsuitable(self._cluster_id, f"TLS with it failed, {why}"))

    def _respond(self, response: HandshakeResponse) -> list[Command]:
        return [SendServer(self._server.frame(build_handshake_response(response)))]

    def _on_auth_packet(self, payload: bytes) -> list[Command]:
        if payload[0] == OK_HEADER:
            return self._finish(payload)
        if payload[0] == SWITCH_HEADER:
            self._switch, self._full_auth = parse_auth_switch(payload), False
            self._auth_turn = "client"
        elif payload[0] == MORE_DATA_HEADER:
            self._full_auth = self._sha2 and payload[1:] == FULL_AUTH_WANTED
            fast = self._sha2 and payload[1:] == FAST_AUTH_OK
            self._auth_turn = "server" if fast else "client"
        else:
            raise PacketError(f"a packet that begins with 0x{payload[0]:02x} during the login")
        return [self._to_client(payload)]

    @property
    def _sha2(self) -> bool:
        return self._switch is not None and self._switch.plugin == CACHING_SHA2

    def _on_answer(self, payload: bytes) -> list[Command]:
        if self._full_auth and not self._secure:
            return self._on_sealed_password(payload)
        return self._to_server(payload)

    def _on_sealed_password(self, payload: bytes) -> list[Command]:
        """caching_sha2_password without TLS: see :mod:`tidegate.gateway.password_key`."""
        if payload == KEY_WANTED:
            return [self._to_client(build_more_data(self._terms.password_key.pem))]
        assert self._switch is not None
        password = self._terms.password_key.open(payload, self._switch.data)
        if password is None:
            return self._refuse(refusals.malformed("the password was not encrypted with this gateway's key"))
        return self._to_server(password)

    def _finish(self, payload: bytes) -> list[Command]:
        self._state = State.OVER
        ok = self._client.frame(payload)
        return [Done(ok, self._server.buffer.take_rest(), self._client.buffer.take_rest())]

    # ---- ends from outside

    def client_closed(self) -> list[Command]:
        return self._refuse(refusals.client_gone())

    def server_closed(self) -> list[Command]:
        return self._refuse(
            refusals.database_unreachable(self._cluster_id, "it closed the connection during the login")
        )

    def expired(self, timeout_s: float) -> list[Command]:
        waited_for = "client" if self.turn == "client" else "database"
        if self._state is State.TLS:
            return self._refuse(refusals.tls_failed(f"not finished within {timeout_s:g} s"))
        return self._refuse(refusals.login_timeout(timeout_s, waited_for))

    def failed(self) -> list[Command]:
        """An error of ours: the client learns that it is not its fault."""
        return self._refuse(refusals.gateway_failed())

    def _refuse(self, refusal: Refusal) -> list[Command]:
        # Inside a TLS handshake a packet in clear could only confuse.
        silent = self._state in (State.TLS, State.OVER) or refusal.message is None
        self._state = State.OVER
        if silent or refusal.message is None:
            return [Refuse(refusal, b"")]
        return [Refuse(refusal, self._client.frame(build_err(refusal.message)))]

    def _to_client(self, payload: bytes) -> SendClient:
        return SendClient(self._client.frame(payload))

    def _to_server(self, payload: bytes) -> list[Command]:
        self._auth_turn = "server"
        return [SendServer(self._server.frame(payload))]
