"""p11-kit: a module file names the module and its configuration, and its clients find the token."""

import os

import pytest

pytestmark = pytest.mark.signet


@pytest.fixture
def module_file(client, module):
    """Registers the module in the sandbox's own p11-kit configuration."""
    def write(*lines):
        folder = os.path.join(client.environment()["XDG_CONFIG_HOME"], "pkcs11", "modules")
        os.makedirs(folder)
        conf = client.serving.pop("SIGNET_CONF")
        text = "\n".join([f"module: {module.path}", *lines, ""]).format(conf=conf)
        for path, content in ((f"{folder}/signet.module", text),
                              (f"{folder}/../pkcs11.conf", "user-config: only\n")):
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)
            client.own_files.add(os.path.realpath(path))
    return write


@pytest.mark.keys("ec", "rsa-pin")
def test_p11_kit_passes_the_configuration_from_its_module_file(client, module_file, key):
    client.serve(key.name)
    module_file("x-init-reserved: conf={conf}")
    assert f"token: {key.name}" in client.run("p11-kit", "list-modules").out


@pytest.mark.keys("ec")
def test_the_name_in_the_module_file_does_not_disturb_other_words(client, module_file, key):
    client.serve(key.name)
    module_file("x-init-reserved: conf={conf}", "priority: 5", "critical: yes", "managed: yes")
    assert f"token: {key.name}" in client.run("p11-kit", "list-modules").out


@pytest.mark.keys("ec", "rsa-pin")
def test_p11tool_finds_the_registered_token_and_signs(client, module, module_file, key):
    client.serve(key.name)
    module_file("x-init-reserved: conf={conf}")
    pin = f"?pin-value={module.pin(key)}" if module.pin(key) else ""
    said = client.run("p11tool", "--batch", "--login", "--test-sign",
                      f"pkcs11:token={key.name};object={key.name};type=private{pin}").said
    assert "ok" in said


@pytest.mark.keys("ec")
def test_the_module_works_behind_the_proxy_module(client, module, module_file, key):
    from harness import clients
    client.serve(key.name)
    module_file("x-init-reserved: conf={conf}")
    proxy = clients.need_library("p11-kit-modules", "p11-kit-proxy.so")
    said = client.run("pkcs11-tool", "--module", proxy, "--token-label", key.name, "--sign",
                      "--id", key.hex_id, "--mechanism", "ECDSA",
                      "--input-file", client.write("input", bytes(32)),
                      "--output-file", client.file("output")).said
    assert "ECDSA" in said
    assert len(client.read("output")) == key.size
