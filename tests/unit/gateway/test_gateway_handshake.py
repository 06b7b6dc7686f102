"""Logins as transcripts: what arrives, what the gateway does.  No socket, no clock."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    Wake,
)
from tidegate.gateway.config import Route
from tidegate.gateway.framing import PacketBuffer, build_packet
from tidegate.gateway.handshake import MAX_REDIALS, TIDB_CAPABILITIES, Handshake
from tidegate.gateway.packets import (
    AuthSwitch,
    Capability,
    ErrorMessage,
    Greeting,
    HandshakeResponse,
    build_auth_switch,
    build_err,
    build_greeting,
    build_handshake_response,
    build_more_data,
    build_ok,
    build_ssl_request,
    is_ssl_request,
    parse_auth_switch,
    parse_err,
    parse_greeting,
    parse_handshake_response,
)
from tidegate.gateway.proxy_protocol import ProxyHeader, parse_proxy_header

REGION = "ap-southeast-1"
READY = Route("p1", REGION, "10001", "100.66.0.9", 4000, ready=True)
ASLEEP = Route("p2", REGION, "10002", "100.66.0.10", 4000)
ROUTES = {"p1": READY, "p2": ASLEEP}
OUR_SALT, THEIR_SALT = b"a" * 20, b"b" * 20
FLAGS = TIDB_CAPABILITIES & ~(Capability.COMPRESS | Capability.ZSTD)
DENIED_SUFFIX = ", see https://docs.pingcap.com/tidbcloud/select-cluster-tier#user-name-prefix for more details."


class PlainKey:
    """Stands in for RSA: 'sealed:' + password."""

    pem = b"PEM"

    def open(self, sealed: bytes, salt: bytes) -> bytes | None:
        assert salt == THEIR_SALT
        return sealed.removeprefix(b"sealed:") if sealed.startswith(b"sealed:") else None


def handshake(**changes: Any) -> Handshake:
    terms = LoginTerms(
        tls="offered",
        server_version="8.0.11-TiDB-v8.5.4",
        connection_id=7,
        salt=OUR_SALT,
        client=("100.64.0.7", 40000),
        local=("100.66.0.1", 4000),
        endpoint_id="ep-1",
        find_route=ROUTES.get,
        password_key=PlainKey(),
    )
    return Handshake(dataclasses.replace(terms, **changes))


def response(user: bytes = b"p1.root", **changes: Any) -> bytes:
    value = HandshakeResponse(FLAGS, 1 << 24, 45, user, b"x" * 20, b"test", b"mysql_native_password", b"\1a\1b")
    return build_handshake_response(dataclasses.replace(value, **changes))


def greeting(capabilities: Capability = TIDB_CAPABILITIES) -> bytes:
    return build_packet(0, build_greeting(Greeting("8.0.11", 99, THEIR_SALT, capabilities)))


def payload_of(command: Command, seq: int) -> bytes:
    """The payload of the one packet that is sent; its sequence number must be ``seq``."""
    assert isinstance(command, SendClient | SendServer | Refuse)
    buffer = PacketBuffer()
    buffer.feed(command.data)
    packet = buffer.next_packet()
    assert packet is not None
    assert packet.seq == seq
    assert buffer.take_rest() == b""
    return packet.payload


def refusal(commands: list[Command], seq: int) -> ErrorMessage:
    [command] = commands
    return parse_err(payload_of(command, seq))


def at_database(login: Handshake, seq: int = 1, **changes: Any) -> Handshake:
    """Through the response, the dial and the database's greeting."""
    login.start()
    assert login.receive_client(build_packet(seq, response(**changes))) == [Dial(READY)]
    login.connected()
    login.receive_server(greeting())
    return login


def test_native_password_from_greeting_to_ok() -> None:
    """The whole login, with every sequence number on both sides."""
    login = handshake()
    [hello] = login.start()
    said = parse_greeting(payload_of(hello, 0))
    assert (said.salt, said.connection_id) == (OUR_SALT, 7)
    assert said.capabilities == TIDB_CAPABILITIES | Capability.SSL

    assert login.turn == "client"
    assert login.receive_client(build_packet(1, response())) == [Dial(READY)]
    assert login.turn == "gateway"

    [header] = login.connected()
    assert isinstance(header, SendServer)
    expected = ProxyHeader("100.64.0.7", 40000, "100.66.0.1", 4000, "ep-1")
    assert parse_proxy_header(header.data) == (expected, b"")

    assert login.turn == "server"
    [forwarded] = login.receive_server(greeting())
    inner = parse_handshake_response(payload_of(forwarded, 1))
    assert (inner.user, inner.database, inner.attributes) == (b"p1.root", b"test", b"\1a\1b")
    assert (inner.auth_plugin, inner.auth) == (b"auth_unknown_plugin", b"\0" * 20)
    assert inner.capabilities == FLAGS

    switch = build_auth_switch(AuthSwitch("mysql_native_password", THEIR_SALT))
    [asked] = login.receive_server(build_packet(2, switch))
    assert payload_of(asked, 2) == switch
    assert login.turn == "client"

    [answered] = login.receive_client(build_packet(3, b"scramble"))
    assert payload_of(answered, 3) == b"scramble"

    [done] = login.receive_server(build_packet(4, build_ok()))
    assert done == Done(build_packet(4, build_ok()), b"", b"")
    assert login.over


def test_tls_shifts_the_clients_numbers_only() -> None:
    login = handshake(tls="required")
    login.start()
    request = build_packet(1, build_ssl_request(FLAGS, 1 << 24, 45))
    assert login.client_read_bytes == 4
    assert login.receive_client(request[:4]) == []
    assert login.client_read_bytes == 32
    assert login.receive_client(request[4:]) == [StartTls()]
    assert login.tls_started() == []
    assert login.receive_client(build_packet(2, response())) == [Dial(READY)]
    login.connected()
    [forwarded] = login.receive_server(greeting())
    payload_of(forwarded, 1)
    [asked] = login.receive_server(build_packet(2, build_auth_switch(AuthSwitch("mysql_native_password", THEIR_SALT))))
    payload_of(asked, 3)


def with_tls() -> Handshake:
    """A client that came with TLS, as far as the dial."""
    login = handshake()
    login.start()
    login.receive_client(build_packet(1, build_ssl_request(FLAGS, 1 << 24, 45)))
    login.tls_started()
    login.receive_client(build_packet(2, response()))
    login.connected()
    return login


def test_a_client_with_tls_is_brought_to_the_database_with_tls() -> None:
    """Its account may have ``REQUIRE SSL``: TiDB looks at its own connection, which was in clear."""
    login = with_tls()
    [request, start] = login.receive_server(greeting(TIDB_CAPABILITIES | Capability.SSL))
    assert is_ssl_request(payload_of(request, 1)) and start == StartServerTls()
    assert login.turn == "gateway"
    [forwarded] = login.server_tls_started()
    inner = parse_handshake_response(payload_of(forwarded, 2))
    assert inner.capabilities == FLAGS | Capability.SSL and inner.auth == b"\0" * 20
    [asked] = login.receive_server(build_packet(3, build_auth_switch(AuthSwitch("mysql_native_password", THEIR_SALT))))
    payload_of(asked, 3)
    [answered] = login.receive_client(build_packet(4, b"scramble"))
    payload_of(answered, 4)
    [done] = login.receive_server(build_packet(5, build_ok()))
    assert done == Done(build_packet(5, build_ok()), b"", b"")


def test_a_client_in_clear_goes_on_in_clear() -> None:
    """Encryption that nobody asked for would cost each plain login 3 ms, and half of the bulk."""
    login = handshake()
    login.start()
    login.receive_client(build_packet(1, response()))
    login.connected()
    [forwarded] = login.receive_server(greeting(TIDB_CAPABILITIES | Capability.SSL))
    assert parse_handshake_response(payload_of(forwarded, 1)).capabilities == FLAGS


def test_a_database_that_cannot_do_tls_is_refused_with_its_name() -> None:
    login = with_tls()
    login.receive_server(greeting(TIDB_CAPABILITIES | Capability.SSL))
    assert refusal(login.server_tls_failed("EOF"), 3).code == 1105
    early = with_tls().receive_server(greeting(TIDB_CAPABILITIES | Capability.SSL) + b"early")
    assert isinstance(early[-1], Refuse) and early[-1].refusal.outcome == "unsuitable"


def test_bytes_in_clear_behind_the_tls_request_end_the_login() -> None:
    """Else an attacker on the way could put them into the TLS session (CVE-2021-2471 and its kin)."""
    login = handshake()
    login.start()
    request = build_packet(1, build_ssl_request(FLAGS, 1 << 24, 45))
    [command] = login.receive_client(request + build_packet(2, response()))
    assert isinstance(command, Refuse)
    assert command.data == b""
    assert command.refusal.outcome == "malformed"


def test_leftovers_of_both_sides_are_given_back() -> None:
    """A client or a database may send on at once; whoever takes over must get those bytes."""
    login = at_database(handshake())
    login.receive_server(build_packet(2, build_auth_switch(AuthSwitch("mysql_native_password", THEIR_SALT))))
    login.receive_client(build_packet(3, b"scramble") + b"next query")
    [done] = login.receive_server(build_packet(4, build_ok()) + b"early news")
    assert done == Done(build_packet(4, build_ok()), b"early news", b"next query")


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_any_cut_of_the_clients_bytes_gives_the_same_login(sizes: list[int]) -> None:
    login = handshake()
    login.start()
    wire, commands = build_packet(1, response()), []
    for size in sizes * 200:
        if not wire:
            break
        commands += login.receive_client(wire[:size])
        wire = wire[size:]
    assert commands == [Dial(READY)]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_any_cut_of_the_databases_bytes_gives_the_same_login(sizes: list[int]) -> None:
    login = handshake()
    login.start()
    login.receive_client(build_packet(1, response()))
    login.connected()
    wire = greeting() + build_packet(2, build_more_data(b"\x03")) + build_packet(3, build_ok())
    whole = at_reference().receive_server(wire)
    commands: list[Command] = []
    for size in sizes * 200:
        if not wire:
            break
        commands += login.receive_server(wire[:size])
        wire = wire[size:]
    assert [type(command) for command in commands] == [type(command) for command in whole]


def at_reference() -> Handshake:
    login = handshake()
    login.start()
    login.receive_client(build_packet(1, response()))
    login.connected()
    return login


@given(st.binary(max_size=300), st.booleans())
def test_garbage_from_the_client_ends_in_a_proper_error(garbage: bytes, framed: bool) -> None:
    login = handshake()
    login.start()
    data = build_packet(1, garbage) if framed else garbage
    for command in login.receive_client(data):
        assert isinstance(command, Refuse | StartTls | Dial | SendClient | Wake)


@given(st.binary(min_size=1, max_size=300), st.booleans(), st.booleans())
def test_garbage_from_the_database_ends_in_a_proper_error(garbage: bytes, framed: bool, greeted: bool) -> None:
    login = at_database(handshake()) if greeted else at_reference()
    data = build_packet(2 if greeted else 0, garbage) if framed else garbage
    for command in login.receive_server(data):
        assert isinstance(command, Refuse | SendClient | SendServer | Done)


# ---- caching_sha2_password


def sha2_login(secure: bool) -> Handshake:
    login = handshake()
    login.start()
    if secure:
        login.receive_client(build_packet(1, build_ssl_request(FLAGS, 1 << 24, 45)))
        login.tls_started()
    login.receive_client(build_packet(1 + secure, response()))
    login.connected()
    login.receive_server(greeting())
    login.receive_server(build_packet(2, build_auth_switch(AuthSwitch("caching_sha2_password", THEIR_SALT))))
    login.receive_client(build_packet(3 + secure, b"s" * 32))
    login.receive_server(build_packet(4, build_more_data(b"\x04")))
    return login


def test_caching_sha2_over_tls_passes_the_password_on() -> None:
    login = sha2_login(secure=True)
    [sent] = login.receive_client(build_packet(6, b"secret\0"))
    assert payload_of(sent, 5) == b"secret\0"


def test_caching_sha2_in_clear_asks_for_our_key() -> None:
    """TiDB would take the request for the key for the password."""
    login = sha2_login(secure=False)
    [key] = login.receive_client(build_packet(5, b"\x02"))
    assert payload_of(key, 6) == b"\x01PEM"
    [sent] = login.receive_client(build_packet(7, b"sealed:secret\0"))
    assert payload_of(sent, 5) == b"secret\0"
    [done] = login.receive_server(build_packet(6, build_ok()))
    assert isinstance(done, Done)
    assert done.ok == build_packet(8, build_ok())


def test_a_password_sealed_with_another_key_is_refused() -> None:
    login = sha2_login(secure=False)
    login.receive_client(build_packet(5, b"\x02"))
    assert refusal(login.receive_client(build_packet(7, b"rubbish")), 8).code == 1835


def test_fast_auth_needs_no_answer() -> None:
    login = at_database(handshake())
    login.receive_server(build_packet(2, build_auth_switch(AuthSwitch("caching_sha2_password", THEIR_SALT))))
    login.receive_client(build_packet(3, b"s" * 32))
    more, done = login.receive_server(build_packet(4, build_more_data(b"\x03")) + build_packet(5, build_ok()))
    assert payload_of(more, 4) == b"\x01\x03"
    assert done == Done(build_packet(5, build_ok()), b"", b"")


# ---- refusals


@pytest.mark.parametrize("user", [b"root", b".root", b""])
def test_missing_prefix(user: bytes) -> None:
    login = handshake()
    login.start()
    message = refusal(login.receive_client(build_packet(1, response(user))), 2)
    page = "https://docs.pingcap.com/tidbcloud/select-cluster-tier#user-name-prefix"
    assert message == ErrorMessage(1105, "HY000", f"Missing user name prefix. See {page}")


def test_unknown_prefix_asks_root_for_the_password_first() -> None:
    """As a cluster would ask its root: the order of packets must not tell that there is no cluster."""
    login = handshake()
    login.start()
    [asked] = login.receive_client(build_packet(1, response(b"xx.root")))
    assert parse_auth_switch(payload_of(asked, 2)) == AuthSwitch("mysql_native_password", OUR_SALT)
    message = refusal(login.receive_client(build_packet(3, b"scramble")), 4)
    assert message == ErrorMessage(
        1045, "28000", f"Access denied for user 'xx.root'@'100.64.0.7' (using password: YES){DENIED_SUFFIX}"
    )


@pytest.mark.parametrize(("auth", "asked"), [(b"x" * 20, "YES"), (b"", "NO"), (b"\0", "NO")])
def test_unknown_prefix_refuses_other_users_at_once(auth: bytes, asked: str) -> None:
    login = handshake()
    login.start()
    message = refusal(login.receive_client(build_packet(1, response(b"xx.app", auth=auth))), 2)
    assert message.text.endswith(f"(using password: {asked}){DENIED_SUFFIX}")


def test_the_databases_denial_gets_the_same_ending() -> None:
    login = at_database(handshake())
    theirs = ErrorMessage(1045, "28000", "Access denied for user 'p1.root'@'100.64.0.7' (using password: YES)")
    message = refusal(login.receive_server(build_packet(2, build_err(theirs))), 2)
    assert message == dataclasses.replace(theirs, text=theirs.text + DENIED_SUFFIX)


def test_another_error_of_the_database_is_passed_on_unchanged() -> None:
    login = at_database(handshake())
    theirs = ErrorMessage(1049, "42000", "Unknown database 'test'")
    assert refusal(login.receive_server(build_packet(2, build_err(theirs))), 2) == theirs


def test_an_error_instead_of_the_greeting_has_no_state_and_gets_one() -> None:
    """Before the greeting MySQL sends none; the client, past it, expects one."""
    login = at_reference()
    theirs = ErrorMessage(1040, None, "Too many connections")
    assert refusal(login.receive_server(build_packet(0, build_err(theirs))), 2) == dataclasses.replace(
        theirs, state="08004"
    )


def test_plaintext_where_tls_is_required() -> None:
    login = handshake(tls="required")
    login.start()
    message = refusal(login.receive_client(build_packet(1, response())), 2)
    assert (message.code, message.state) == (3159, "HY000")
    assert message.text.startswith("Connections using insecure transport are prohibited")


def test_tls_asked_where_none_is_offered() -> None:
    login = handshake(tls="not_offered")
    [hello] = login.start()
    assert Capability.SSL not in parse_greeting(payload_of(hello, 0)).capabilities
    message = refusal(login.receive_client(build_packet(1, build_ssl_request(FLAGS, 1, 45))), 2)
    assert "client side" in message.text


def test_a_database_that_lacks_a_promised_capability() -> None:
    """Else the session would break later, in the middle of a result."""
    login = at_reference()
    message = refusal(login.receive_server(greeting(TIDB_CAPABILITIES & ~Capability.DEPRECATE_EOF)), 2)
    assert (message.code, "server side" in message.text) == (1105, True)


def test_capabilities_beyond_tidbs_are_dropped() -> None:
    """Clients set flags that no server offered, LENENC_AUTH above all."""
    login = handshake()
    login.start()
    flags = FLAGS | Capability.LENENC_AUTH | Capability(1 << 30) | Capability.SSL
    login.receive_client(build_packet(1, response(capabilities=flags)))
    login.connected()
    [forwarded] = login.receive_server(greeting())
    assert parse_handshake_response(payload_of(forwarded, 1)).capabilities == FLAGS


def test_a_wrong_sequence_number() -> None:
    login = handshake()
    login.start()
    assert refusal(login.receive_client(build_packet(5, response())), 6).code == 1156


def test_a_protocol_before_4_1() -> None:
    login = handshake()
    login.start()
    assert refusal(login.receive_client(build_packet(1, b"\x05\x00\x00\x00root\0\0")), 2).code == 1251


def test_a_huge_packet_is_refused_unread() -> None:
    login = handshake()
    login.start()
    assert refusal(login.receive_client(b"\xff\xff\xff\x01"), 2).code == 1153


def test_a_client_that_floods_before_its_turn() -> None:
    login = handshake()
    login.start()
    login.receive_client(build_packet(1, response()))
    commands: list[Command] = []
    for _ in range(10):
        commands = login.receive_client(b"\1\0\0\2" * 4096)
        if commands:
            break
    assert refusal(commands, 3).code == 1153


# ---- wake and dial


def test_a_sleeping_cluster_is_woken_and_may_have_moved() -> None:
    login = handshake()
    login.start()
    assert login.receive_client(build_packet(1, response(b"p2.root"))) == [Wake(ASLEEP)]
    moved = dataclasses.replace(ASLEEP, ready=True, address="100.66.0.11")
    assert login.woken(moved) == [Dial(moved)]
    assert login.route == moved


def test_a_cluster_that_cannot_start() -> None:
    login = handshake()
    login.start()
    login.receive_client(build_packet(1, response(b"p2.root")))
    message = refusal(login.wake_failed("the disk is full."), 2)
    assert message == ErrorMessage(
        1105, "HY000", "The cluster '10002' could not be started (server side): the disk is full."
    )


def test_a_refused_dial_wakes_again_then_gives_up() -> None:
    """A server that was killed this moment is still called ready for a while."""
    login = at_reference_before_dial()
    for _ in range(MAX_REDIALS):
        assert login.dial_failed("Connection refused") == [Wake(READY)]
        assert login.woken(READY) == [Dial(READY)]
    message = refusal(login.dial_failed("Connection refused"), 2)
    assert message.text.startswith("The database of cluster '10001' cannot be reached")


def at_reference_before_dial() -> Handshake:
    login = handshake()
    login.start()
    login.receive_client(build_packet(1, response()))
    return login


def test_a_late_client_and_a_late_database_are_told_apart() -> None:
    login = handshake()
    login.start()
    assert "(client side)" in refusal(login.expired(10), 1).text
    assert "(server side)" in refusal(at_reference().expired(10), 2).text


def test_a_database_that_hangs_up() -> None:
    assert "server side" in refusal(at_reference().server_closed(), 2).text


def test_a_client_that_hangs_up_is_sent_nothing() -> None:
    login = handshake()
    login.start()
    [command] = login.client_closed()
    assert isinstance(command, Refuse)
    assert (command.data, command.refusal.outcome) == (b"", "client_gone")


def test_no_refusal_shows_a_password() -> None:
    """Messages go to clients and logs."""
    login = sha2_login(secure=True)
    login.receive_client(build_packet(6, b"secret\0"))
    for commands in (login.receive_server(build_packet(6, b"\x77")),):
        [command] = commands
        assert isinstance(command, Refuse)
        assert "secret" not in command.refusal.text
