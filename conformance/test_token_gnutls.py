"""The life of a token by GnuTLS' p11tool and certtool, to a TLS handshake between
gnutls-serv and gnutls-cli."""

import re

import pytest

from harness import tpm

KINDS = {"rsa": ["--generate-privkey=rsa", "--bits=2048"],
         "ecc": ["--generate-privkey=ecdsa", "--curve=secp256r1"],
         "ecc384": ["--generate-privkey=ecdsa", "--curve=secp384r1"]}


@pytest.fixture
def p11tool(client, token, module):
    def run(*words, pin=None, so_pin=None, new_so_pin=None, **how):
        env = {"GNUTLS_PIN": pin or token.PIN, "GNUTLS_SO_PIN": so_pin or token.SO_PIN}
        if new_so_pin:
            env["GNUTLS_NEW_SO_PIN"] = new_so_pin
        return client.run("p11tool", "--provider", module.path, "--batch", *words, env=env, **how)
    return run


# p11tool lists no token that is not initialised; of one module this names it all the same.
ANY = "pkcs11:"


@pytest.fixture
def initialised(token, p11tool):
    p11tool("--initialize", ANY, "--label", token.LABEL)
    p11tool("--initialize-pin", "--so-login", token.uri(pin=False))
    return token


@pytest.fixture
def generated(initialised, p11tool):
    def make(kind, label="key"):
        p11tool("--login", *KINDS[kind], "--label", label, "--id", label.encode().hex(),
                initialised.uri(pin=False))
        return initialised.uri(f"object={label}", "type=private", pin=False)
    return make


def test_a_token_is_initialised_with_both_pins(initialised, p11tool):
    listed = p11tool("--list-tokens").out.split("Label: story\n")[1].split("Token ")[0]
    assert "Generic token" in listed or "Hardware token" in listed
    assert "CKF_USER_PIN_INITIALIZED" in listed or "uPIN uninitialized" not in listed


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_pair_is_made_listed_and_signs(generated, initialised, p11tool, kind):
    key = generated(kind)
    listed = p11tool("--login", "--list-privkeys", initialised.uri(pin=False)).out
    assert "Label: key" in listed and "Flags:" in listed
    assert "CKA_PRIVATE" in listed and "CKA_SENSITIVE" in listed
    assert "CKA_NEVER_EXTRACTABLE" in listed or "CKA_EXTRACTABLE" not in listed
    assert "ok" in p11tool("--login", "--test-sign", key).said


def test_the_public_key_is_exported(client, generated, p11tool):
    pem = p11tool("--login", "--export-pubkey", generated("ecc")).out
    client.tool("openssl", "pkey", "-pubin", "-in", client.write("pub", pem), "-noout")


def request(client, token, module, key):
    """A request by certtool, signed in the token."""
    template = client.write("template", "cn = localhost\ndns_name = localhost\nsigning_key\n")
    client.run("certtool", "--provider", module.path, "--generate-request", "--load-privkey", key,
               "--load-pubkey", key.replace("type=private", "type=public"),
               "--template", template, "--outfile", client.file("csr"),
               env={"GNUTLS_PIN": token.PIN})
    client.tool("openssl", "req", "-in", client.file("csr"), "-verify", "-noout",
                env={"OPENSSL_CONF": "/dev/null"})
    return client.file("csr")


@pytest.mark.killed
@pytest.mark.parametrize("kind", KINDS)
def test_a_key_made_by_p11tool_is_certified_and_serves_tls(client, module, fixtures, initialised,
                                                           generated, p11tool, kind):
    key = generated(kind)
    certificate = initialised.certify(request(client, initialised, module, key))
    p11tool("--login", "--write", "--load-certificate", certificate, "--label", "key", "--id",
            b"key".hex(), initialised.uri(pin=False))
    listed = p11tool("--list-all-certs", initialised.uri(pin=False)).out
    assert "X.509 Certificate" in listed and "Label: key" in listed
    port = tpm.free_port()
    with client.server("gnutls-serv", "--provider", module.path, "--port", port, "--echo",
                       "--x509keyfile", initialised.uri("object=key", "type=private"),
                       "--x509certfile", initialised.uri("object=key", "type=cert"), port=port):
        said = client.tool("gnutls-cli", "--x509cafile", f"{fixtures}/ca.crt", "--port", port,
                           "localhost", stdin=b"hello, token\n").out
    assert "The certificate is trusted" in said
    assert "hello, token" in said


def test_a_client_presents_a_key_made_by_p11tool(client, module, apache, fixtures, initialised,
                                                 generated, p11tool):
    key = generated("ecc")
    certificate = initialised.certify(request(client, initialised, module, key))
    p11tool("--login", "--write", "--load-certificate", certificate, "--label", "key", "--id",
            b"key".hex(), initialised.uri(pin=False))
    said = client.run(
        "gnutls-cli", "--provider", module.path, "--x509cafile", f"{fixtures}/ca.crt",
        "--x509keyfile", initialised.uri("object=key", "type=private"),
        "--x509certfile", initialised.uri("object=key", "type=cert"),
        "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.3", "--port", apache.ports["1.3"], "localhost",
        stdin=b"GET /index.html HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").out
    assert "X-Client: localhost" in said


def test_the_user_changes_the_pin(initialised, p11tool):
    """p11tool asks for a new PIN in --initialize-pin; as the user it is C_SetPIN."""
    initialised.tool("--change-pin", "--new-pin", "98765")
    said = p11tool("--login", "--list-all", initialised.uri(pin=False), status=None)
    assert said.status != 0 or "Object" not in said.out
    p11tool("--login", *KINDS["ecc"], "--label", "key", initialised.uri(pin=False), pin="98765")


def test_the_so_sets_the_pin_anew(initialised, p11tool):
    p11tool("--initialize-pin", "--so-login", initialised.uri(pin=False), pin="98765")
    p11tool("--login", *KINDS["ecc"], "--label", "key", initialised.uri(pin=False), pin="98765")
    p11tool("--login", *KINDS["ecc"], "--label", "key", initialised.uri(pin=False), pin="1234",
            status=1)


def test_the_so_changes_its_own_pin(initialised, p11tool):
    p11tool("--initialize-so-pin", "--so-login", initialised.uri(pin=False),
            new_so_pin="a new so pin")
    p11tool("--initialize-pin", "--so-login", initialised.uri(pin=False), status=1)
    p11tool("--initialize-pin", "--so-login", initialised.uri(pin=False), so_pin="a new so pin")


@pytest.mark.parametrize("algorithm", ["rsa", "ec"])
def test_a_private_key_is_imported_and_signs(client, initialised, p11tool, algorithm):
    how = ["-algorithm", "RSA"] if algorithm == "rsa" else \
        ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    client.tool("openssl", "genpkey", *how, "-out", client.file("key.pem"))
    p11tool("--login", "--write", "--load-privkey", client.file("key.pem"), "--label", "imported",
            "--id", "0102", "--mark-sign", initialised.uri(pin=False))
    client.tool("openssl", "pkey", "-in", client.file("key.pem"), "-pubout",
                "-out", client.file("pub.pem"))
    p11tool("--login", "--write", "--load-pubkey", client.file("pub.pem"), "--label", "imported",
            "--id", "0102", initialised.uri(pin=False))
    key = initialised.uri("object=imported", "type=private", pin=False)
    assert "ok" in p11tool("--login", "--test-sign", key).said
    exported = p11tool("--login", "--export-pubkey", key).out
    assert exported.strip() == client.read("pub.pem").decode().strip()


def test_a_secret_key_is_written_and_listed(initialised, p11tool):
    p11tool("--login", "--write", "--secret-key", "000102030405060708090a0b0c0d0e0f", "--label",
            "secret", initialised.uri(pin=False))
    listed = p11tool("--login", "--list-all", initialised.uri(pin=False)).out
    assert "Label: secret" in listed and "Secret key" in listed


def test_label_and_id_are_changed(generated, initialised, p11tool):
    key = generated("ecc")
    p11tool("--login", "--set-label", "renamed", key)
    p11tool("--login", "--set-id", "0a0b0c",
            initialised.uri("object=renamed", "type=private", pin=False))
    listed = p11tool("--login", "--list-privkeys", initialised.uri(pin=False)).out
    assert "Label: renamed" in listed
    assert re.search("ID: 0a:0b:0c", listed)


def test_objects_are_deleted(generated, initialised, p11tool):
    generated("ecc", "one")
    generated("ecc", "other")
    p11tool("--login", "--delete", initialised.uri("object=one", pin=False))
    listed = p11tool("--login", "--list-all", initialised.uri(pin=False)).out
    assert "Label: other" in listed and "Label: one" not in listed


def test_a_ca_certificate_is_written_as_trusted_by_the_so_only(client, fixtures, initialised,
                                                               p11tool):
    words = ["--write", "--load-certificate", f"{fixtures}/ca.crt", "--label", "ca",
             "--mark-trusted", "--mark-ca", initialised.uri(pin=False)]
    p11tool("--login", *words, status=1)
    p11tool("--so-login", *words)
    listed = p11tool("--list-all-trusted", initialised.uri(pin=False)).out
    assert "Label: ca" in listed
