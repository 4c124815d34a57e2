"""A key that was made on the token, used by OpenSSL: through libp11's engine, and through
pkcs11-provider where there is one."""

import os

import pytest

from harness import clients, tpm
from harness.verify import PSS, verifies

KINDS = {"rsa": "rsa:2048", "ec": "EC:secp256r1", "ec384": "EC:secp384r1"}
MESSAGE = b"Signed through OpenSSL.\n"


@pytest.fixture(params=KINDS)
def made(request, token):
    token.initialise().generate(kind=KINDS[request.param])
    return token


def key(token):
    return token.uri("object=key", "type=private")


@pytest.fixture
def engine(token):
    clients.need_file("libengine-pkcs11-openssl", *(
        f"{place}/engines-3/pkcs11.so" for place in clients.library_directories()))
    return ["-engine", "pkcs11", "-keyform", "engine"]


@pytest.mark.killed
def test_the_engine_requests_a_certificate_and_serves_tls(made, engine):
    certificate = made.certify(made.request())
    for version in ("tls1_2", "tls1_3"):
        made.handshake("key", certificate, version)


def test_the_engine_signs(client, made, engine):
    made.openssl("dgst", "-sha256", *engine, "-sign", key(made), "-out", client.file("out"),
                 client.write("input", MESSAGE))
    assert verifies(client, made.public_key(), client.read("out"), MESSAGE)


def test_the_engine_signs_with_pss(client, token, engine):
    token.initialise().generate(kind="rsa:2048")
    options = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]
    token.openssl("dgst", "-sha256", *engine, *options, "-sign", key(token), "-out",
                  client.file("out"), client.write("input", MESSAGE))
    assert verifies(client, token.public_key(), client.read("out"), MESSAGE, options=PSS)


def test_the_engine_decrypts(client, token, engine):
    token.initialise().generate(kind="rsa:2048")
    client.tool("openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", token.public_key(), "-in",
                client.write("plain", MESSAGE), "-out", client.file("cipher"))
    token.openssl("pkeyutl", "-decrypt", *engine, "-inkey", key(token), "-in",
                  client.file("cipher"), "-out", client.file("back"))
    assert client.read("back") == MESSAGE


def test_the_engine_presents_the_key_to_a_server(client, made, engine, fixtures):
    certificate = made.certify(made.request())
    conf = client.write("req.cnf", "[req]\ndistinguished_name = dn\n[dn]\n")
    client.tool("openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
                "-config", conf, "-keyout", client.file("server.pem"),
                "-out", client.file("server.csr"))
    server = made.certify(client.file("server.csr"))
    port = tpm.free_port()
    with client.server("openssl", "s_server", "-key", client.file("server.pem"), "-cert", server,
                       "-CAfile", f"{fixtures}/ca.crt", "-Verify", 2, "-verify_return_error",
                       "-accept", f"127.0.0.1:{port}", "-www", port=port):
        said = made.openssl("s_client", "-connect", f"127.0.0.1:{port}", "-CAfile",
                            f"{fixtures}/ca.crt", "-verify_return_error", *engine, "-key",
                            key(made), "-cert", certificate, "-ign_eof",
                            stdin=b"GET / HTTP/1.0\r\n\r\n").out
    assert "HTTP/1.0 200" in said
    shown = said.split("Client certificate")[-1].replace(" ", "")
    assert "Subject:CN=localhost" in shown


@pytest.fixture
def provider(client, token):
    """The words of a command that uses pkcs11-provider."""
    paths = [f"{place}/ossl-modules/pkcs11.so" for place in clients.library_directories()]
    path = next(filter(os.path.exists, paths), None)
    if not path:
        pytest.skip("there is no pkcs11-provider; Debian 12 has none")
    conf = client.write("provider.cnf", (
        "openssl_conf = init\n[init]\nproviders = both\n[both]\ndefault = default\n"
        "pkcs11 = pkcs11\n[default]\nactivate = 1\n[pkcs11]\nactivate = 1\n"
        f"module = {path}\npkcs11-module-path = {token.module.path}\n"
        "pkcs11-module-quirks = no-deinit no-operation-state\n"))

    def run(*words, **how):
        return client.run("openssl", *words, env={"OPENSSL_CONF": conf}, **how)
    return run


def test_pkcs11_provider_signs(client, made, provider):
    provider("dgst", "-sha256", "-sign", key(made), "-out", client.file("out"),
             client.write("input", MESSAGE))
    assert verifies(client, made.public_key(), client.read("out"), MESSAGE)
