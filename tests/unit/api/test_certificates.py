"""The local CA: who accepts its certificates, when they are renewed, what a kill half way leaves."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import socket
import ssl
import stat
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from tidegate.api import certificates
from tidegate.api.certificates import (
    CertificateError,
    ensure_ca,
    ensure_certificate,
    parse_sans,
)

NOW = datetime.now(UTC)
GATEWAY = "gateway01-privatelink.ap-southeast-1.prod.alicloud.tidbcloud.com"
ENDPOINT = "ep-t4n1.epsrv-t4n2.ap-southeast-1.privatelink.aliyuncs.com"
ZONE = "ep-t4n1-ap-southeast-1a.epsrv-t4n2.ap-southeast-1.privatelink.aliyuncs.com"
SANS = (GATEWAY, "*." + ENDPOINT.partition(".")[2], "localhost", "127.0.0.1", "::1")


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def strict_context(ca_path: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca_path))
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


class TlsServer:
    """One port that shakes hands with whoever comes, for as long as the test lasts."""

    def __init__(self, certificate_path: Path, key_path: Path) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate_path, key_path)
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        while True:
            try:
                peer, _ = self.sock.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(peer, server_side=True) as tls:
                    tls.settimeout(5)
                    tls.recv(4096)
                    tls.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
            except OSError:
                pass

    def close(self) -> None:
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


@pytest.fixture
def issued(tmp_path):
    ca = ensure_ca(tmp_path / "keys")
    certificate_path, key_path = ensure_certificate(tmp_path / "keys", ca, "gateway", SANS)
    return ca, certificate_path, key_path


@pytest.fixture
def server(issued):
    made = TlsServer(*issued[1:])
    yield made
    made.close()


@pytest.mark.parametrize("name", [GATEWAY, ENDPOINT, ZONE, "localhost", "127.0.0.1"])
def test_python_accepts_every_name_strictly(issued, server, name):
    """Python 3.13 checks strictly by default: a CA without key usage or identifiers fails there and only there."""
    with (
        socket.create_connection(("127.0.0.1", server.port), 5) as sock,
        strict_context(issued[0].certificate_path).wrap_socket(sock, server_hostname=name) as tls,
    ):
        assert tls.version() == "TLSv1.3"


def test_other_names_are_not_covered(issued, server):
    for name in ("a.b.epsrv-t4n2.ap-southeast-1.privatelink.aliyuncs.com", "example.com"):
        with (
            pytest.raises(ssl.SSLCertVerificationError),
            socket.create_connection(("127.0.0.1", server.port), 5) as sock,
        ):
            strict_context(issued[0].certificate_path).wrap_socket(sock, server_hostname=name)


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_openssl_verifies_strictly(issued):
    ca, certificate_path, _ = issued
    for name in (GATEWAY, ENDPOINT):
        command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", name]
        done = subprocess.run(
            [*command, "-CAfile", ca.certificate_path, certificate_path], check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


GO_CLIENT = """package main
import ("crypto/tls"; "crypto/x509"; "fmt"; "os")
func main() {
  pem, _ := os.ReadFile(os.Args[1]); pool := x509.NewCertPool(); pool.AppendCertsFromPEM(pem)
  for _, name := range os.Args[3:] {
    c, err := tls.Dial("tcp", os.Args[2], &tls.Config{RootCAs: pool, ServerName: name})
    if err != nil { fmt.Println(err); os.Exit(1) }
    c.Close()
  }
}
"""


@pytest.mark.skipif(not shutil.which("go"), reason="go is not installed")
def test_go_accepts_it(issued, server, tmp_path):
    """Terraform and the clouds' command-line tools are Go, which looks at the alternative names only."""
    (tmp_path / "client.go").write_text(GO_CLIENT)
    command = ["go", "run", "client.go", issued[0].certificate_path, f"127.0.0.1:{server.port}", GATEWAY, ENDPOINT]
    environ = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "GO111MODULE": "off"}
    done = subprocess.run(command, cwd=tmp_path, env=environ, check=False, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr


JAVA_CLIENT = """
import java.io.*; import java.security.*; import java.security.cert.*; import javax.net.ssl.*;
public class Client { public static void main(String[] a) throws Exception {
  KeyStore ks = KeyStore.getInstance(KeyStore.getDefaultType()); ks.load(null, null);
  ks.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(new FileInputStream(a[0])));
  TrustManagerFactory f = TrustManagerFactory.getInstance("PKIX"); f.init(ks);
  SSLContext c = SSLContext.getInstance("TLS"); c.init(null, f.getTrustManagers(), null);
  for (int i = 2; i < a.length; i++) {
    java.net.Socket plain = new java.net.Socket("127.0.0.1", Integer.parseInt(a[1]));
    SSLSocket s = (SSLSocket) c.getSocketFactory().createSocket(plain, a[i], Integer.parseInt(a[1]), true);
    SSLParameters p = s.getSSLParameters(); p.setEndpointIdentificationAlgorithm("HTTPS"); s.setSSLParameters(p);
    s.startHandshake(); s.close();
  } } }
"""


@pytest.mark.skipif(not shutil.which("javac"), reason="a Java compiler is not installed")
def test_java_accepts_it(issued, server, tmp_path):
    (tmp_path / "Client.java").write_text(JAVA_CLIENT)
    command = ["java", "Client.java", issued[0].certificate_path, str(server.port), GATEWAY, ENDPOINT]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_keys_are_private(issued):
    ca, certificate_path, key_path = issued
    assert stat.S_IMODE(key_path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(key_path.stat().st_mode) == stat.S_IMODE(ca.key_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(certificate_path.stat().st_mode) == 0o644


def test_twice_is_once(issued):
    ca, certificate_path, _ = issued
    before = contents(certificate_path.parent)
    assert ensure_ca(certificate_path.parent) == ca
    ensure_certificate(certificate_path.parent, ca, "gateway", reversed(SANS))
    assert contents(certificate_path.parent) == before


@pytest.mark.parametrize(("after_days", "renewed"), [(0, False), (200, False), (250, True), (400, True)])
def test_renewed_when_a_third_is_left_with_the_same_key(issued, after_days, renewed):
    ca, certificate_path, key_path = issued
    before, key = certificate_path.read_bytes(), key_path.read_bytes()
    later = NOW + timedelta(days=after_days)
    ensure_certificate(certificate_path.parent, ca, "gateway", SANS, now=later)
    assert (certificate_path.read_bytes() != before) == renewed
    assert key_path.read_bytes() == key
    assert load(certificate_path).not_valid_after_utc > later


def test_new_names_mean_a_new_certificate(issued):
    ca, certificate_path, _ = issued
    before = load(certificate_path)
    ensure_certificate(certificate_path.parent, ca, "gateway", [*SANS, "db.example.com"])
    assert load(certificate_path).serial_number != before.serial_number


def test_the_ca_is_renewed_under_the_same_key_and_name(issued):
    """Clients that trust the old one go on; nobody has to be told."""
    ca, certificate_path, _ = issued
    old = load(ca.certificate_path)
    later = NOW + timedelta(days=3650 - 300)
    ensure_ca(certificate_path.parent, now=later)
    new = load(ca.certificate_path)
    assert new.not_valid_after_utc > old.not_valid_after_utc
    assert (new.subject, new.public_key()) == (old.subject, old.public_key())
    load(certificate_path).verify_directly_issued_by(new)


@pytest.mark.parametrize("victim", ["gateway.pem", "gateway-key.pem", "ca.pem"])
def test_a_lost_file_is_made_again_and_all_fits(issued, victim):
    ca, certificate_path, key_path = issued
    (certificate_path.parent / victim).unlink()
    ensure_ca(certificate_path.parent)
    ensure_certificate(certificate_path.parent, ca, "gateway", SANS)
    load(certificate_path).verify_directly_issued_by(load(ca.certificate_path))
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate_path, key_path)


def test_a_lost_ca_key_is_said_not_replaced(issued):
    """A silently new CA would break every client that trusts the old one."""
    issued[0].key_path.unlink()
    with pytest.raises(CertificateError, match="restore the key"):
        ensure_ca(issued[0].key_path.parent)


def test_killed_at_any_step_the_next_call_puts_it_right(tmp_path, monkeypatch):
    """Each file write is two steps (temporary, rename); die after 0, 1, 2... of them and call again."""

    class Killed(BaseException):
        pass

    real_replace, real_fsync = Path.replace, os.fsync
    for fatal in range(1, 9):
        folder, step = tmp_path / str(fatal), 0

        def count(call, *args, fatal=fatal):
            nonlocal step
            step += 1
            if step == fatal:
                raise Killed
            return call(*args)

        monkeypatch.setattr(Path, "replace", lambda *args: count(real_replace, *args))
        monkeypatch.setattr(certificates.os, "fsync", lambda *args: count(real_fsync, *args))
        with pytest.raises(Killed):
            ensure_certificate(folder, ensure_ca(folder), "gateway", SANS)
        monkeypatch.undo()
        ca = ensure_ca(folder)
        pair = ensure_certificate(folder, ca, "gateway", SANS)
        load(pair[0]).verify_directly_issued_by(load(ca.certificate_path))
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*pair)
        assert not [path for path in folder.iterdir() if path.name.endswith(".new")]


def _issue(folder: str) -> None:
    ensure_certificate(Path(folder), ensure_ca(Path(folder)), "api", ["localhost"])


def test_processes_that_start_together_agree(tmp_path):
    """``serve`` and ``agent`` start at once on a fresh machine; two CAs would mean half the clients fail."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_issue, args=(str(tmp_path / "keys"),)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    pair = (tmp_path / "keys" / "api.pem", tmp_path / "keys" / "api-key.pem")
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*pair)
    load(pair[0]).verify_directly_issued_by(load(tmp_path / "keys" / "ca.pem"))


@pytest.mark.parametrize("bad", [[], ["a..b"], ["x" * 64 + ".com"], ["a.*.com"], ["exämple.com"]])
def test_bad_names_are_refused(bad):
    with pytest.raises(CertificateError):
        parse_sans(bad)
