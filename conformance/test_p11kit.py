"""p11-kit: a module file names the module and its configuration, and its clients find the token."""

import pytest

from harness import clients

pytestmark = pytest.mark.signet


@pytest.fixture
def register(client):
    """Writes the user's own p11-kit module file, which root would have none of."""
    def write(key, *lines):
        client.move_apart()
        client.serve(key.name)
        conf = client.serving.pop("SIGNET_CONF")
        text = "\n".join([f"module: {client.module.path}", *lines, ""]).format(conf=conf)
        client.write_home(".config/pkcs11/modules/signet.module", text)
        client.write_home(".config/pkcs11/pkcs11.conf", "user-config: only\n")
    return write


@pytest.mark.keys("ec", "rsa-pin")
def test_p11_kit_passes_the_configuration_from_its_register(client, register, key):
    register(key, "x-init-reserved: conf={conf}")
    assert f"token: {key.name}" in client.run("p11-kit", "list-modules").out


@pytest.mark.keys("ec")
def test_the_name_in_the_register_does_not_disturb_other_words(client, register, key):
    register(key, "x-init-reserved: conf={conf}", "priority: 5", "critical: yes", "managed: yes")
    assert f"token: {key.name}" in client.run("p11-kit", "list-modules").out


@pytest.mark.keys("ec", "rsa-pin")
def test_gnutls_finds_the_registered_token_and_signs(client, register, key):
    """GnuTLS passes no words of the module file on: the configuration is the user's own."""
    register(key)
    client.write_home(".config/signet/signet.conf", client.read("signet.conf"))
    pin = client.module.pin(key)
    words = ["--login"] if pin else []
    said = client.run("p11tool", "--batch", *words, "--test-sign",
                      f"pkcs11:token={key.name};object={key.name};type=private"
                      + (f"?pin-value={pin}" if pin else "")).said
    assert "ok" in said


@pytest.mark.keys("ec")
def test_the_module_works_behind_the_proxy_module(client, module, register, key):
    register(key, "x-init-reserved: conf={conf}")
    proxy = clients.need_library("p11-kit-modules", "p11-kit-proxy.so")
    said = client.run("pkcs11-tool", "--module", proxy, "--token-label", key.name, "--sign",
                      "--id", key.hex_id, "--mechanism", "ECDSA",
                      "--input-file", client.write("input", bytes(32)),
                      "--output-file", client.file("output")).said
    assert "ECDSA" in said
    assert len(client.read("output")) == key.size
