"""With bus protection no PIN and no decrypted secret travels to the TPM in the clear."""

import os

import pytest

pytestmark = [pytest.mark.signet, pytest.mark.keys("rsa-pin")]

SECRET = b"what nobody may read on the bus"


@pytest.fixture
def on_the_bus(client, module, build, tpm_kind, key):
    """on_the_bus(protection, words...): what went to the TPM and came back."""
    if tpm_kind == "device":
        pytest.skip("the recording TCTI is tried on TPMs that may be spoilt")
    record = client.file("bus.pcap")

    def run(protection, *words):
        client.serve(key.name)
        first, *rest = client.read("signet.conf").decode().splitlines()
        word = first.split("=", 1)[1].strip()
        word = word.replace("embedded:", f"{build}/libtss2-tcti-signet.so.0:dir=")
        client.write("signet.conf", "\n".join(
            [f"tpm = pcap:{word}", f"bus protection = {protection}", *rest]))
        client.run("pkcs11-tool", "--module", module.path, "--token-label", key.name, "--login",
                   "--pin", key.pin, *words, env={"TCTI_PCAP_FILE": record})
        with open(record, "rb") as file:
            return file.read()
    return run


def signing(client, key):
    return ["--sign", "--id", key.hex_id, "--mechanism", "SHA256-RSA-PKCS",
            "--input-file", client.write("input", b"x"), "--output-file", client.file("output")]


def decrypting(client, fixtures, key):
    client.write("secret", SECRET)
    client.run("openssl", "pkeyutl", "-encrypt", "-pubin",
               "-inkey", os.path.join(fixtures, f"{key.name}.pub"),
               "-in", client.file("secret"), "-out", client.file("sealed"))
    return ["--decrypt", "--id", key.hex_id, "--mechanism", "RSA-PKCS",
            "--input-file", client.file("sealed"), "--output-file", client.file("output")]


def test_without_protection_the_pin_can_be_seen(client, on_the_bus, key):
    assert key.pin.encode() in on_the_bus("off", *signing(client, key))


def test_with_protection_the_pin_cannot_be_seen(client, on_the_bus, key):
    seen = on_the_bus("on", *signing(client, key))
    assert len(seen) > 1000 and key.pin.encode() not in seen


def test_without_protection_a_decrypted_secret_can_be_seen(client, on_the_bus, fixtures, key):
    assert SECRET in on_the_bus("off", *decrypting(client, fixtures, key))


def test_with_protection_a_decrypted_secret_cannot_be_seen(client, on_the_bus, fixtures, key):
    seen = on_the_bus("on", *decrypting(client, fixtures, key))
    assert client.read("output") == SECRET and SECRET not in seen
