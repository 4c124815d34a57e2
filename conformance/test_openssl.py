"""OpenSSL's tpm2 provider and the module share a key file: what one signs the other verifies."""

import hashlib

import pytest

from harness import clients
from harness.verify import verifies

pytestmark = pytest.mark.signet
MESSAGE = b"Signed with one key file.\n"
PROVIDERS = ["-provider", "tpm2", "-provider", "default", "-propquery", "?provider=tpm2"]
# The provider knows no RSA parent, and asks for no PIN where the key has noDA.
PROVIDER_KEYS = ("ec", "ec-pin", "ec384", "rsa", "rsa-pin", "ec-parent")


@pytest.fixture
def provider(client, the_tpm):
    """Runs openssl with the tpm2 provider on the TPM of the tests."""
    clients.need_file("tpm2-openssl", *(
        f"{place}/ossl-modules/tpm2.so" for place in clients.library_directories()))

    def run(command, *words, **how):
        return client.run("openssl", command, *PROVIDERS, *words,
                          env={"TPM2OPENSSL_TCTI": the_tpm.tcti, "TSS2_LOG": "all+NONE"}, **how)
    return run


def pkcs11_tool(client, module, key, *words):
    client.serve(key.name)
    pin = ["--login", "--pin", key.pin] if key.pin else []
    return client.run("pkcs11-tool", "--module", module.path, "--token-label", key.name, *pin,
                      "--id", key.hex_id, *words)


@pytest.mark.keys(*PROVIDER_KEYS)
def test_the_module_verifies_what_the_provider_signed(client, module, provider, key, fixtures):
    provider("pkeyutl", "-sign", "-rawin", "-digest", "sha256", "-inkey", f"{fixtures}/{key.name}.key",
             "-passin", f"pass:{key.pin}", "-in", client.write("input", MESSAGE),
             "-out", client.file("signature"))
    assert verifies(client, f"{fixtures}/{key.name}.pub", client.read("signature"), MESSAGE)
    if key.is_rsa:
        how = ["--mechanism", "SHA256-RSA-PKCS", "--input-file", client.file("input")]
    else:
        digest = client.write("digest", hashlib.sha256(MESSAGE).digest())
        how = ["--mechanism", "ECDSA", "--signature-format", "openssl", "--input-file", digest]
    said = pkcs11_tool(client, module, key, "--verify", *how,
                       "--signature-file", client.file("signature"))
    assert "Signature is valid" in said.said


@pytest.mark.keys(*PROVIDER_KEYS)
def test_the_provider_reads_the_public_key_that_the_module_shows(client, module, provider, key,
                                                                 fixtures):
    provider("pkey", "-in", f"{fixtures}/{key.name}.key", "-passin", f"pass:{key.pin}", "-pubout",
             "-out", client.file("expected"))
    client.serve(key.name)
    shown = client.run("p11tool", "--provider", module.path, "--batch", "--export",
                       f"pkcs11:token={key.name};object={key.name};type=public").out
    assert shown.strip() == client.read("expected").decode().strip()


@pytest.mark.keys("ec", "rsa")
def test_a_certificate_request_by_the_provider_is_for_the_modules_key(client, module, provider, key,
                                                                      fixtures):
    provider("req", "-new", "-key", f"{fixtures}/{key.name}.key", "-subj", f"/CN={key.name}",
             "-config", client.write("req.cnf", "[req]\ndistinguished_name = dn\n[dn]\n"),
             "-out", client.file("csr"))
    client.tool("openssl", "req", "-in", client.file("csr"), "-config", client.file("req.cnf"),
                "-verify", "-noout", "-pubkey", "-out", client.file("public"))
    with open(f"{fixtures}/{key.name}.pub", "rb") as file:
        assert client.read("public") == file.read()


@pytest.mark.keys("ec", "rsa-pin")
def test_a_configuration_for_openssl_pkcs11_export_works_unchanged(client, module, key, fixtures):
    """Found by that module's own variable, in that module's own words."""
    pin = ["--login", "--pin", key.pin] if key.pin else []
    mechanism = "SHA256-RSA-PKCS" if key.is_rsa else "ECDSA"
    client.run("pkcs11-tool", "--module", module.path, "--token-label", key.name, *pin,
               "--id", key.hex_id, "--sign", "--mechanism", mechanism,
               "--input-file", client.write("input", bytes(32)),
               "--output-file", client.file("output"),
               env={"OPENSSL_PKCS11_CONF": f"{fixtures}/export.conf"})
    assert len(client.read("output")) == key.size


@pytest.mark.keys("soft-ec")
def test_the_hosts_openssl_configuration_does_not_reach_the_module(client, module, key):
    """A configuration that activates nothing but the module's own providers would recurse."""
    conf = ("openssl_conf = init\n[init]\nproviders = all\nengines = engines\n"
            "[all]\ntpm2 = tpm2\n[tpm2]\nactivate = 1\n"
            "[engines]\npkcs11 = pkcs11\n[pkcs11]\nengine_id = pkcs11\n"
            f"MODULE_PATH = {module.path}\ninit = 0\n")
    client.serve(key.name)
    client.run("pkcs11-tool", "--module", module.path, "--token-label", key.name, "--sign",
               "--id", key.hex_id, "--mechanism", "ECDSA",
               "--input-file", client.write("input", bytes(32)),
               "--output-file", client.file("output"),
               env={"OPENSSL_CONF": client.write("hostile.cnf", conf), "TSS2_LOG": "all+NONE"})
    assert len(client.read("output")) == key.size
