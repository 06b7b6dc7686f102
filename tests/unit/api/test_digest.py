"""HTTP digest: the RFC's example, ordinary clients over a real socket, replays, restarts, bounds."""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
import subprocess
import threading
from collections.abc import Iterator

import httpx
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from requests.auth import HTTPDigestAuth

from tidegate.api.listener import Listener
from tidegate.api.tidbcloud.digest import WINDOW, DigestAuthenticator, Presented, parse_authorization

KEY, SECRET = "P0BL1CKEY", "private-key-0123"
NOW = 1_800_000_000.0


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def nonce_of(challenge: str) -> str:
    return challenge.split('nonce="')[1].split('"', maxsplit=1)[0]


def sign(nonce, nc=1, *, uri="/v1beta1/clusters?a=b", method="GET", secret=SECRET, qop="auth", user=KEY) -> Presented:
    count, cnonce = f"{nc:08x}", "0a4f113b"
    middle = f"{count}:{cnonce}:{qop}:" if qop else ""
    response = md5(f"{md5(f'{user}:tidbcloud:{secret}')}:{nonce}:{middle}{md5(f'{method}:{uri}')}")
    header = f'Digest username="{user}", realm="tidbcloud", nonce="{nonce}", uri="{uri}", response="{response}"'
    if qop:
        header += f', qop={qop}, nc={count}, cnonce="{cnonce}", algorithm=MD5'
    presented = parse_authorization(header)
    assert presented is not None
    return presented


def judge(gate, presented, *, secret=SECRET, method="GET", target="/v1beta1/clusters?a=b", now=NOW):
    return gate.decide(presented, secret, method, target, now)


@pytest.fixture
def gate() -> DigestAuthenticator:
    return DigestAuthenticator()


@pytest.fixture
def nonce(gate) -> str:
    return nonce_of(gate.challenge(NOW))


def test_the_example_of_rfc_7616():
    """Section 3.9.1; its nonce is not ours, so the right password there is "stale", a wrong one "denied"."""
    header = (
        'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=MD5, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
        'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, '
        'response="8ca523f5e9506fed4657c9700eebdbec", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    gate = DigestAuthenticator(realm="http-auth@example.org")
    presented = parse_authorization(header)
    assert gate.decide(presented, "Circle of Life", "GET", "/dir/index.html", NOW) == "stale"
    assert gate.decide(presented, "Circle of Lies", "GET", "/dir/index.html", NOW) == "denied"


def test_the_challenge_is_what_the_official_clients_can_read(gate):
    """icholy/digest compares the algorithm by case and splits qop on "," without trimming."""
    challenge = gate.challenge(NOW, stale=True)
    assert challenge.startswith('Digest realm="tidbcloud", nonce="')
    assert challenge.endswith('", qop="auth", algorithm=MD5, stale=true')


def test_accepted_once_per_count(gate, nonce):
    assert judge(gate, sign(nonce, 1)) == "accepted"
    assert judge(gate, sign(nonce, 1)) == "stale"
    assert judge(gate, sign(nonce, 2)) == "accepted"
    assert judge(gate, sign(nonce, 0)) == "stale"


def test_parallel_clients_overtake_each_other(gate, nonce):
    """Go's and Terraform's clients share one nonce over many connections; order on the way is not kept."""
    counts = list(range(1, 400))
    random.Random(7).shuffle(counts)
    assert {judge(gate, sign(nonce, nc)) for nc in counts} == {"accepted"}
    assert {judge(gate, sign(nonce, nc)) for nc in counts} == {"stale"}


def test_counts_below_the_window_are_spent(gate, nonce):
    assert judge(gate, sign(nonce, 0xFFFFFFFF)) == "accepted"
    assert judge(gate, sign(nonce, 0xFFFFFFFF - WINDOW)) == "stale"
    assert judge(gate, sign(nonce, 0xFFFFFFFF - WINDOW + 1)) == "accepted"
    assert judge(gate, sign(nonce, 0xFFFFFFFF)) == "stale"


@given(st.lists(st.integers(1, 3 * WINDOW), max_size=200))
def test_no_count_is_ever_good_twice(counts):
    gate = DigestAuthenticator()
    nonce = nonce_of(gate.challenge(NOW))
    taken = [nc for nc in counts if judge(gate, sign(nonce, nc)) == "accepted"]
    assert len(taken) == len(set(taken))


def test_without_qop_a_nonce_is_good_once(gate, nonce):
    assert judge(gate, sign(nonce, qop=None)) == "accepted"
    assert judge(gate, sign(nonce, qop=None)) == "stale"
    assert judge(gate, sign(nonce, 1)) == "stale"
    second = nonce_of(gate.challenge(NOW))
    assert judge(gate, sign(second, 1)) == "accepted"
    assert judge(gate, sign(second, qop=None)) == "stale"


@pytest.mark.parametrize(
    "options",
    [
        {"method": "DELETE"},
        {"target": "/v1beta1/clusters?a=c"},
        {"target": "/v1beta1/clusters"},
        {"secret": "other"},
        {"secret": None},
    ],
)
def test_anything_else_is_denied_and_uses_up_nothing(gate, nonce, options):
    assert judge(gate, sign(nonce), **options) == "denied"
    assert judge(gate, sign(nonce)) == "accepted"


def test_a_lone_question_mark_is_no_difference(gate, nonce):
    """HTTP servers report "/a?" and "/a" alike, and some clients sign the one and send the other."""
    assert judge(gate, sign(nonce, 1, uri="/a?"), target="/a") == "accepted"


def test_an_old_nonce_is_stale_and_so_is_one_from_before_a_restart(gate, nonce):
    assert judge(gate, sign(nonce, 1), now=NOW + 3599) == "accepted"
    assert judge(gate, sign(nonce, 2), now=NOW + 3601) == "stale"
    assert judge(gate, sign(nonce, 2), now=NOW - 60) == "stale"
    assert judge(DigestAuthenticator(), sign(nonce, 3)) == "stale"
    bent = nonce[:-6] + ("A" if nonce[-6] != "A" else "B") + nonce[-5:]
    assert judge(gate, sign(bent, 1)) == "stale"


def test_a_key_kept_over_a_restart_keeps_nonces_good():
    key = b"k" * 32
    nonce = nonce_of(DigestAuthenticator(key=key).challenge(NOW))
    assert judge(DigestAuthenticator(key=key), sign(nonce)) == "accepted"


def test_forgotten_nonces_never_come_back(gate):
    """Memory is bounded; forgetting must not make an old request good again."""
    gate = DigestAuthenticator(nonces_kept=10)
    nonces = [nonce_of(gate.challenge(NOW + i)) for i in range(30)]
    for i, nonce in enumerate(nonces):
        assert judge(gate, sign(nonce), now=NOW + i) == "accepted"
    assert len(gate._counts._counts) == 10
    assert {judge(gate, sign(nonce), now=NOW + 30) for nonce in nonces} == {"stale"}


def test_strangers_fill_no_memory(gate):
    for _ in range(100):
        judge(gate, sign(nonce_of(gate.challenge(NOW)), secret="guess"))
    assert not gate._counts._counts


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic dTpw",
        "Digest",
        "Digest username=a",
        'Digest username="a", username="b", realm="r", nonce="n", uri="/", response="x"',
        'Digest username="a, realm="r", nonce="n", uri="/", response="x"',
        'Digest username="a", realm="r", nonce="n", uri="/", response="x", qop=auth-int, nc=00000001, cnonce="c"',
        'Digest username="a", realm="r", nonce="n", uri="/", response="x", qop=auth, nc=1, cnonce="c"',
        'Digest username="a", realm="r", nonce="n", uri="/", response="x", qop=auth, nc=00000001',
        'Digest username="a", realm="r", nonce="n", uri="/", response="' + "x" * 20_000 + '"',
    ],
)
def test_malformed_headers(header):
    assert parse_authorization(header) is None


@given(st.text(max_size=300))
def test_garbage_never_raises(text):
    presented = parse_authorization("Digest " + text)
    assert presented is None or judge(DigestAuthenticator(), presented) == "denied"


@given(st.text(max_size=40), st.text(max_size=40))
def test_odd_fields_never_raise(nonce, response):
    presented = Presented("u", "tidbcloud", nonce, "/", response, "MD5", "auth", "00000001", "c")
    assert DigestAuthenticator().decide(presented, "s", "GET", "/", NOW) in ("stale", "denied")


def test_sha_256_for_those_who_prefer_it():
    gate = DigestAuthenticator(algorithm="SHA-256")
    assert gate.challenge(NOW).endswith("algorithm=SHA-256")


# -- ordinary clients -------------------------------------------------------------------------------------


class Cloud:
    """An API behind digest: as the TiDB Cloud adapter uses it."""

    def __init__(self) -> None:
        self.gate = DigestAuthenticator()
        self.answers: list[int] = []

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            raise RuntimeError("no lifespan")
        query = scope["query_string"]
        target = scope["raw_path"].decode() + ("?" + query.decode() if query else "")
        header = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        presented = parse_authorization(header)
        verdict = "denied"
        if presented is not None:
            secret = SECRET if presented.username == KEY else None
            verdict = self.gate.decide(presented, secret, scope["method"], target, NOW)
        status = 200 if verdict == "accepted" else 401
        self.answers.append(status)
        headers = [(b"content-length", b"2")]
        if status == 401:
            headers.append((b"www-authenticate", self.gate.challenge(NOW, stale=verdict == "stale").encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})


@pytest.fixture
def cloud() -> Iterator[tuple[Cloud, str]]:
    """The real listener on a thread of its own, since requests blocks."""
    app = Cloud()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(work):
        return asyncio.run_coroutine_threadsafe(work, loop).result(10)

    listener = Listener(app, "127.0.0.1", 0, None)
    host, port = run(listener.start())
    yield app, f"http://{host}:{port}/v1beta1/clusters"
    run(listener.stop(1))
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


QUERY = "?filter=a%20b%2Fc+d&pageSize=10&x=%E7%AB%AF"


def test_httpx(cloud):
    """One challenge, then the nonce is reused with a growing count, over GET and POST."""
    app, url = cloud
    with httpx.Client(auth=httpx.DigestAuth(KEY, SECRET), trust_env=False) as client:
        for _ in range(3):
            assert client.get(url + QUERY).status_code == 200
            assert client.post(url, json={"displayName": "端"}).status_code == 200
    assert app.answers == [401] + [200] * 6


def test_requests(cloud):
    app, url = cloud
    with requests.Session() as session:
        session.trust_env = False
        session.auth = HTTPDigestAuth(KEY, SECRET)
        for _ in range(3):
            assert session.get(url + QUERY).status_code == 200
            assert session.patch(url, json={"displayName": "x"}).status_code == 200
    assert app.answers == [401] + [200] * 6


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl(cloud):
    app, url = cloud
    command = ["curl", "-sf", "--noproxy", "*", "--digest", "-u", f"{KEY}:{SECRET}", url + QUERY, url]
    assert subprocess.run(command, capture_output=True, check=True, timeout=20).stdout == b"{}{}"
    assert app.answers.count(200) == 2


def test_a_restart_costs_one_more_round_and_no_failure(cloud):
    app, url = cloud
    with httpx.Client(auth=httpx.DigestAuth(KEY, SECRET), trust_env=False) as client:
        assert client.get(url).status_code == 200
        app.gate = DigestAuthenticator()
        assert client.get(url).status_code == 200
    assert app.answers == [401, 200, 401, 200]


def test_parallel_requests_with_one_nonce_all_pass(cloud):
    """What Terraform does with its ten parallel operations."""
    app, url = cloud

    async def run():
        auth = httpx.DigestAuth(KEY, SECRET)
        async with httpx.AsyncClient(auth=auth, trust_env=False) as client:
            assert (await client.get(url)).status_code == 200
            answers = await asyncio.gather(*(client.get(f"{url}/{i}") for i in range(50)))
            assert {answer.status_code for answer in answers} == {200}

    asyncio.run(run())
    assert app.answers.count(401) == 1


def test_a_wrong_key_is_told_so(cloud):
    _, url = cloud
    for auth in (httpx.DigestAuth(KEY, "wrong"), httpx.DigestAuth("nobody", SECRET)):
        with httpx.Client(auth=auth, trust_env=False) as client:
            assert client.get(url).status_code == 401
