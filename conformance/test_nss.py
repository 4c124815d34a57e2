"""NSS, as in Firefox: modutil adds the module, certutil lists, cmsutil and tstclnt sign."""

import re

import pytest

from harness import tpm
from harness.apache import PAGE


class Database:
    """An NSS database that trusts the demo authority and has the module in it."""

    NAME = "module under test"

    def __init__(self, client, module, fixtures):
        self.client, self.module = client, module
        self.directory = client.make("nss")
        self.run("certutil", "-N", "--empty-password")
        self.run("certutil", "-A", "-n", "ca", "-t", "CT,C,C", "-i", f"{fixtures}/ca.crt")

    def run(self, program, *words, **how):
        return self.client.run(program, *words, "-d", f"sql:{self.directory}", **how)

    def modutil(self, *words, **how):
        return self.client.run("modutil", "-force", "-dbdir", f"sql:{self.directory}", *words, **how)

    def add_module(self, *words, **how):
        return self.modutil("-add", self.NAME, "-libfile", self.module.path, *words, **how)


@pytest.fixture
def database(client, module, fixtures):
    return Database(client, module, fixtures)


@pytest.fixture
def with_key(client, database, key):
    """The database, the module in it serving the key."""
    client.serve(key.name)
    database.add_module()
    return database


def test_modutil_adds_the_module_and_lists_its_token(with_key, key):
    listed = with_key.modutil("-list", with_key.NAME).out
    assert re.search(rf"^  Token Name: {key.name} *$", listed, re.MULTILINE)
    assert re.search(r"^  Status: Enabled$", listed, re.MULTILINE)


@pytest.mark.signet
def test_modutil_passes_the_configuration_in_a_string(client, database, key):
    client.serve(key.name)
    conf = client.serving.pop("SIGNET_CONF")
    database.add_module("-string", f"conf={conf}")
    assert re.search(rf"Token Name: {key.name} *\n", database.modutil("-list", database.NAME).out)
    assert f"conf={conf}" in client.read("nss/pkcs11.txt").decode()


@pytest.mark.signet
@pytest.mark.keys("ec", "rsa-pin")
def test_certutil_lists_the_certificate_without_asking_for_a_pin(with_key, key):
    """The token says by a profile object that its certificates are public."""
    listed = with_key.run("certutil", "-L", "-h", key.name)
    assert re.search(rf"^{key.name}:{key.name} +u,u,u$", listed.out, re.MULTILINE)
    assert "Password" not in listed.said


def test_certutil_lists_the_certificate_and_its_key_after_login(client, with_key, key):
    pin = ["-f", client.pin_file(key)]
    listed = with_key.run("certutil", "-L", "-h", key.name, *pin).out
    assert re.search(rf"^{key.name}:{key.name} +u,u,u$", listed, re.MULTILINE)
    listed = with_key.run("certutil", "-K", "-h", key.name, *pin).out
    assert re.search(rf"^< 0> (rsa|ec) .* (\w+:)?{key.name}$", listed, re.MULTILINE)


@pytest.mark.wrong_pin
@pytest.mark.keys("ec-pin")
def test_certutil_says_that_a_pin_is_wrong(client, with_key, key):
    wrong = client.write("wrong-pin", "4321\n")
    said = with_key.run("certutil", "-K", "-h", key.name, "-f", wrong, status=255).said
    assert re.search("Incorrect password|SEC_ERROR_BAD_PASSWORD|could not authenticate", said)


@pytest.mark.signet
@pytest.mark.keys("ec", "rsa-pin")
def test_certutil_verifies_the_certificate_of_the_token(client, with_key, key):
    said = with_key.run("certutil", "-V", "-u", "C", "-n", f"{key.name}:{key.name}",
                        "-f", client.pin_file(key)).out
    assert "certificate is valid" in said


def test_cmsutil_signs_and_openssl_verifies(client, with_key, key, fixtures):
    message = client.write("message", "Signed by NSS.\n")
    with_key.run("cmsutil", "-S", "-N", f"{key.name}:{key.name}", "-f", client.pin_file(key),
                 "-i", message, "-o", client.file("signed"))
    client.tool("openssl", "cms", "-verify", "-inform", "DER", "-in", client.file("signed"),
                "-CAfile", f"{fixtures}/ca.crt", "-binary", "-out", client.file("verified"))
    assert client.read("verified") == b"Signed by NSS.\n"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_tstclnt_presents_the_certificate_to_apache(client, with_key, key, apache, version):
    request = client.write(
        "request", "GET /index.html HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    said = with_key.run(
        "tstclnt", "-4", "-h", "localhost", "-p", apache.ports[version], "-A", request,
        "-V", f"tls{version}:tls{version}", "-n", f"{key.name}:{key.name}",
        "-W", client.pin_file(key))
    assert PAGE in said.out
    assert f"X-Client: {key.name}" in said.out
    assert f"X-Protocol: TLSv{version}" in said.out


@pytest.mark.killed
@pytest.mark.signet
@pytest.mark.keys("ec", "rsa")
def test_selfserv_serves_with_a_key_of_the_module(client, with_key, key):
    """NSS copies an RSA key to a session object, and copies that again with an empty template."""
    port = tpm.free_port()
    with client.server("selfserv", "-d", f"sql:{with_key.directory}", "-p", port, "-N",
                       "-n" if key.is_rsa else "-e", f"{key.name}:{key.name}", port=port):
        page = client.tool("curl", "-sS", "-k", f"https://127.0.0.1:{port}/").out
    assert "GET / HTTP" in page


def test_two_tokens_are_listed_together(client, database):
    names = ("soft-ec", "soft-rsa")
    client.serve(*names)
    database.add_module()
    listed = database.modutil("-list", database.NAME).out
    assert set(re.findall(r"^  Token Name: (\S+)", listed, re.MULTILINE)) >= set(names)
