"""curl presents the certificate to a real Apache, and Apache serves with a key of the module."""

import pytest

from harness import clients, nobody, process
from harness.apache import PAGE, Apache

VERSIONS = ["1.2", "1.3"]


@pytest.fixture
def curl(client, apache, fixtures):
    clients.need_file("libengine-pkcs11-openssl", *(
        f"{place}/engines-3/pkcs11.so" for place in clients.library_directories()))

    def fetch(version, *options, **how):
        return client.run("curl", "-sS", "-i", "--cacert", f"{fixtures}/ca.crt",
                          f"--tlsv{version}", "--tls-max", version, *options,
                          apache.url(version), **how)
    return fetch


def uri(module, key, kind=""):
    pin = module.pin(key)
    return (f"pkcs11:token={key.name};object={key.name}" + (f";type={kind}" if kind else "")
            + (f";pin-value={pin}" if pin else ""))


@pytest.mark.parametrize("version", VERSIONS)
def test_curl_is_let_in_with_key_and_certificate_by_uri(client, module, key, version, curl):
    client.serve(key.name)
    page = curl(version, "--cert", uri(module, key))
    assert PAGE in page.out
    assert f"X-Client: {key.name}" in page.out
    assert f"X-Protocol: TLSv{version}" in page.out


@pytest.mark.parametrize("version", VERSIONS)
def test_curl_is_let_in_with_a_certificate_file_and_the_engine(
        client, module, key, version, curl, fixtures):
    client.serve(key.name)
    page = curl(version, "--engine", "pkcs11", "--key-type", "ENG",
                "--key", uri(module, key, "private"), "--cert", f"{fixtures}/{key.name}.crt")
    assert f"X-Client: {key.name}" in page.out


@pytest.mark.parametrize("version", VERSIONS)
def test_curl_without_a_certificate_is_refused(curl, version):
    page = curl(version, status=None)
    assert page.status != 0
    assert PAGE not in page.out


@pytest.mark.wrong_pin
@pytest.mark.keys("ec-pin")
def test_curl_with_a_wrong_pin_is_refused(client, curl, key):
    client.serve(key.name)
    page = curl("1.3", "--cert", f"pkcs11:token={key.name};object={key.name};pin-value=wrong",
                status=None)
    assert page.status != 0
    assert PAGE not in page.out


@pytest.mark.signet
@pytest.mark.keys("ec", "rsa-pin")
def test_apache_serves_with_a_key_of_the_module(client, key, fixtures):
    """The server forks: the module begins anew in its worker."""
    if not client.tool("openssl", "version").out.startswith("OpenSSL 3.0."):
        pytest.skip("with this OpenSSL Apache crashes now and then with a key in any module: "
                    "the pkcs11 engine leaves its methods behind when mod_ssl loads it again")
    client.move_apart()
    client.serve(key.name)
    server = Apache(client.file("apache"), fixtures, engine="SSLCryptoDevice pkcs11",
                    key=uri(client.module, key, "private"), env=client.module_environment(),
                    certificate=f"{client.module.fixtures}/{key.name}.crt", verify="none")
    nobody.give_away(client.directory)
    try:
        server.start()
        for version in VERSIONS:
            page = client.tool("curl", "-sS", "-k",
                               f"--tlsv{version}", "--tls-max", version, server.url(version),
                               status=None)
            assert page.out == PAGE, f"{page}\n{server.errors()}"
    finally:
        server.stop()
    assert not process.complaints(server.errors())
