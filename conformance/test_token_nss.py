"""The life of a token by the tools of NSS, to TLS handshakes with the key made."""

import re

import pytest

from harness import tpm
from harness.apache import PAGE


class Database:
    """An NSS database with the module in it, and certutil on the module's token."""

    def __init__(self, token):
        self.token, self.client = token, token.client
        self.directory = self.client.make("nss")
        self.pins = self.client.write("pins", f"{token.PIN}\n")
        self.noise = self.client.write("noise", bytes(range(256)) * 8)
        self.run("certutil", "-N", "--empty-password")
        self.run("certutil", "-A", "-n", "ca", "-t", "CT,C,C", "-i", f"{token.fixtures}/ca.crt")
        self.client.run("modutil", "-force", "-dbdir", f"sql:{self.directory}", "-add",
                        "module under test", "-libfile", token.module.path)

    def run(self, program, *words, **how):
        return self.client.run(program, *words, "-d", f"sql:{self.directory}", **how)

    def certutil(self, *words, **how):
        return self.run("certutil", *words, "-h", self.token.LABEL, "-f", self.pins, **how)

    def request(self, *algorithm, name="localhost"):
        """certutil -R: makes a key pair on the token, and a request (DER) for it."""
        path = self.client.file("request")
        self.certutil("-R", "-s", f"CN={name}", *algorithm, "-z", self.noise, "-o", path)
        return path

    def add(self, certificate, nickname="key"):
        self.certutil("-A", "-n", nickname, "-t", "u,u,u", "-i", certificate)


ALGORITHMS = {"rsa": ["-k", "rsa", "-g", "2048"], "ec": ["-k", "ec", "-q", "nistp256"],
              "ec384": ["-k", "ec", "-q", "nistp384"]}


@pytest.fixture
def database(token):
    return Database(token.initialise())


@pytest.fixture
def certified(database):
    """A key pair made by certutil, with its certificate on the token."""
    def make(algorithm):
        request = database.request(*ALGORITHMS[algorithm])
        database.add(database.token.certify(request, inform="DER"))
        return database
    return make


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_certutil_makes_a_key_and_lists_it_with_its_certificate(certified, algorithm):
    database = certified(algorithm)
    listed = database.certutil("-K").out
    assert re.search(rf"^< 0> {algorithm[:2]}\w* +\w{{40}} +(\w+:)?key$", listed, re.MULTILINE)
    listed = database.certutil("-L").out
    assert re.search(r"^story:key +u,u,u$", listed, re.MULTILINE)


@pytest.mark.signet
def test_certutil_verifies_the_certificate_with_its_key(certified):
    database = certified("ec")
    said = database.run("certutil", "-V", "-u", "V", "-n", "story:key", "-f", database.pins).out
    assert "certificate is valid" in said


def test_certutil_makes_a_certificate_of_its_own(database):
    database.certutil("-S", "-s", "CN=self", "-n", "self", "-x", "-t", "u,u,u", "-k", "ec", "-q",
                      "nistp256", "-z", database.noise, "-m", "12")
    assert re.search(r"^story:self +u,u,u$", database.certutil("-L").out, re.MULTILINE)


def test_certutil_deletes_a_certificate_and_a_key(certified):
    database = certified("ec")
    key = re.search(r"^< 0> ec +(\w{40})", database.certutil("-K").out, re.MULTILINE).group(1)
    database.certutil("-D", "-n", "story:key")
    assert "story:key" not in database.certutil("-L").out
    assert key in database.certutil("-K").out
    database.certutil("-F", "-k", key)
    assert "no keys found" in database.certutil("-K", status=255).said


@pytest.mark.parametrize("algorithm", ["rsa", "ec"])
def test_pk12util_brings_a_key_and_its_certificate_in(client, database, algorithm):
    how = ["rsa:2048"] if algorithm == "rsa" else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    conf = client.write("req.cnf", "[req]\ndistinguished_name = dn\n[dn]\n")
    client.tool("openssl", "req", "-new", "-newkey", *how, "-nodes", "-subj", "/CN=imported",
                "-config", conf, "-keyout", client.file("key.pem"), "-out", client.file("csr"))
    certificate = database.token.certify(client.file("csr"))
    client.tool("openssl", "pkcs12", "-export", "-inkey", client.file("key.pem"), "-in",
                certificate, "-name", "imported", "-passout", "pass:p12", "-out",
                client.file("all.p12"))
    database.run("pk12util", "-i", client.file("all.p12"), "-W", "p12", "-h", "story", "-k",
                 database.pins)
    assert re.search(r"^story:imported +u,u,u$", database.certutil("-L").out, re.MULTILINE)
    assert re.search(r"^< 0> (rsa|ec) ", database.certutil("-K").out, re.MULTILINE)
    database.run("cmsutil", "-S", "-N", "story:imported", "-f", database.pins, "-i",
                 client.write("message", "Signed by NSS.\n"), "-o", client.file("signed"))
    client.tool("openssl", "cms", "-verify", "-inform", "DER", "-in", client.file("signed"),
                "-CAfile", f"{database.token.fixtures}/ca.crt", "-purpose", "any", "-binary",
                "-out", client.file("verified"))
    assert client.read("verified") == b"Signed by NSS.\n"


def test_modutil_changes_the_pin_of_the_token(client, database):
    client.run("modutil", "-force", "-dbdir", f"sql:{database.directory}", "-changepw", "story",
               "-pwfile", database.pins, "-newpwfile", client.write("new-pins", "98765\n"))
    database.pins = client.file("new-pins")
    database.request(*ALGORITHMS["ec"])
    database.token.tool("--list-objects", status=1)


@pytest.mark.killed
# NSS copies an RSA key to the session, and the copy once more, with an empty template.
@pytest.mark.parametrize("algorithm", [pytest.param("rsa", marks=pytest.mark.signet), "ec"])
def test_selfserv_serves_with_a_key_that_certutil_made(client, certified, algorithm):
    database = certified(algorithm)
    port = tpm.free_port()
    with client.server("selfserv", "-d", f"sql:{database.directory}", "-p", port, "-f",
                       database.pins, "-e" if algorithm == "ec" else "-n", "story:key", port=port):
        page = client.tool("curl", "-sS", "--cacert", f"{database.token.fixtures}/ca.crt",
                           f"https://localhost:{port}/").out
    assert "GET / HTTP" in page


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_tstclnt_presents_a_key_that_certutil_made(client, certified, apache, algorithm, version):
    request = client.write(
        "get", "GET /index.html HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    database = certified(algorithm)
    said = database.run(
        "tstclnt", "-4", "-h", "localhost", "-p", apache.ports[version], "-A", request,
        "-V", f"tls{version}:tls{version}", "-n", "story:key", "-W", database.pins)
    assert PAGE in said.out
    assert "X-Client: localhost" in said.out
