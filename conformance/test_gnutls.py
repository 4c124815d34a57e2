"""GnuTLS: p11tool lists and signs by URI, gnutls-cli presents the certificate to Apache."""

import pytest

from harness.apache import PAGE

PRIORITIES = {
    "1.2": "NORMAL:-VERS-ALL:+VERS-TLS1.2",
    "1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3",
}


def uri(module, key, *parts):
    pin = module.pin(key)
    words = [f"token={key.name}", *parts] + ([f"pin-value={pin}"] if pin else [])
    return "pkcs11:" + ";".join(words[:-1] if pin else words) + (f"?{words[-1]}" if pin else "")


def login(module, key):
    return ["--login"] if module.pin(key) else []


@pytest.fixture
def p11tool(client, module):
    def run(*words, **how):
        return client.run("p11tool", "--provider", module.path, "--batch", *words, **how)
    return run


def test_p11tool_lists_the_token_by_uri(client, p11tool, key):
    client.serve(key.name)
    tokens = p11tool("--list-token-urls").out
    assert f"token={key.name}" in tokens


@pytest.mark.signet
def test_p11tool_lists_certificate_and_public_key_without_login(client, p11tool, key):
    client.serve(key.name)
    objects = p11tool("--list-all", f"pkcs11:token={key.name}").out
    assert "Type: X.509 Certificate" in objects
    assert "Type: Public key" in objects
    assert f"object={key.name}" in objects


def test_p11tool_lists_the_private_key_after_login(client, module, p11tool, key):
    client.serve(key.name)
    objects = p11tool(*login(module, key), "--list-privkeys", uri(module, key)).out
    assert "Type: Private key" in objects
    assert f"Label: {key.name}" in objects


def test_p11tool_exports_the_certificate(client, p11tool, key, fixtures):
    client.serve(key.name)
    written = p11tool("--export", f"pkcs11:token={key.name};object={key.name};type=cert").out
    with open(f"{fixtures}/{key.name}.crt", encoding="ascii") as file:
        assert written.strip() == file.read().strip()


@pytest.mark.signet
@pytest.mark.every_key
def test_p11tool_exports_the_public_key_as_openssl_writes_it(
        client, module, p11tool, key, fixtures):
    client.serve(key.name)
    written = p11tool(*login(module, key), "--export",
                      uri(module, key, f"object={key.name}", "type=public")).out
    with open(f"{fixtures}/{key.name}.pub", encoding="ascii") as file:
        assert written.strip() == file.read().strip()


@pytest.mark.keys("ec", "ec-pin", "ec384", "rsa", "rsa-pin")
def test_p11tool_tests_that_the_key_signs(client, module, p11tool, key):
    client.serve(key.name)
    said = p11tool(*login(module, key), "--test-sign",
                   uri(module, key, f"object={key.name}", "type=private"))
    assert "ok" in said.said


@pytest.mark.wrong_pin
@pytest.mark.keys("ec-pin")
def test_p11tool_does_not_sign_with_a_wrong_pin(client, p11tool, key):
    client.serve(key.name)
    said = p11tool("--login", "--test-sign",
                   f"pkcs11:token={key.name};object={key.name};type=private?pin-value=wrong",
                   status=None)
    assert said.status != 0


@pytest.fixture
def gnutls_cli(client, apache, fixtures):
    request = b"GET /index.html HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    def run(version, *words, **how):
        return client.run("gnutls-cli", "--x509cafile", f"{fixtures}/ca.crt",
                          "--priority", PRIORITIES[version], "--port", apache.ports[version],
                          *words, "localhost", stdin=request, **how)
    return run


@pytest.mark.parametrize("version", PRIORITIES)
def test_gnutls_cli_is_let_in_with_key_and_certificate_by_uri(
        client, module, gnutls_cli, key, version):
    client.serve(key.name)
    said = gnutls_cli(
        version, "--provider", module.path,
        "--x509keyfile", uri(module, key, f"object={key.name}", "type=private"),
        "--x509certfile", f"pkcs11:token={key.name};object={key.name};type=cert").out
    assert PAGE in said
    assert f"X-Client: {key.name}" in said
    assert f"X-Protocol: TLSv{version}" in said


@pytest.mark.parametrize("version", PRIORITIES)
def test_gnutls_cli_without_a_certificate_is_refused(gnutls_cli, version):
    assert PAGE not in gnutls_cli(version, status=None).out
