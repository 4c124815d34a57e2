"""A user sees what the client says, and nothing else; without a log, no file appears."""

import pytest

pytestmark = pytest.mark.signet

# What pkcs11-tool itself says to stderr when it signs.
OWN_WORDS = "Using signature algorithm"


def strangers(text):
    return [line for line in text.splitlines() if line and not line.startswith(OWN_WORDS)]


@pytest.fixture
def quietly(client, module):
    """Runs pkcs11-tool as most people will: without a log."""
    def run(*words, env=(), status=0):
        return client.run("pkcs11-tool", "--module", module.path, *words, env=env,
                          without=["SIGNET_LOG"], status=status)
    return run


def signing(client, key):
    pin = ["--login", "--pin", key.pin] if key.pin else []
    return ["--token-label", key.name, *pin, "--sign", "--id", key.hex_id, "--mechanism",
            "RSA-PKCS" if key.is_rsa else "ECDSA", "--input-file", client.write("input", bytes(32)),
            "--output-file", client.file("output")]


@pytest.mark.every_key
def test_listing_and_signing_say_nothing_on_stderr(client, quietly, key):
    client.serve(key.name)
    assert quietly("--list-slots").err == ""
    assert strangers(quietly(*signing(client, key)).err) == []


@pytest.mark.keys("ec")
@pytest.mark.parametrize("word", [
    "swtpm:host=127.0.0.1,port=1", "device:/dev/null", "device:/nonexistent", "nonsense:x",
    "embedded:/dev/null/x"])
def test_a_tpm_that_is_not_there_is_no_reason_to_talk(client, quietly, module, key, word):
    """Objects are listed all the same; signing fails with a code, and without a word."""
    client.serve(key.name)
    conf = client.read("signet.conf").decode().splitlines()
    client.write("signet.conf", "\n".join([f"tpm = {word}", *conf[1:]]))
    assert "Certificate Object" in quietly("--token-label", key.name, "--list-objects").out
    said = quietly(*signing(client, key), status=1)
    assert [line for line in strangers(said.err) if "CKR_" not in line and line != "Aborting."] == []


@pytest.mark.wrong_pin
@pytest.mark.keys("ec-pin")
def test_a_wrong_pin_is_the_clients_to_report(client, quietly, key):
    client.serve(key.name)
    said = quietly("--token-label", key.name, "--login", "--pin", "wrong", "--list-objects",
                   status=1)
    assert [line for line in strangers(said.err)
            if "CKR_PIN_INCORRECT" not in line and line != "Aborting."] == []


def test_without_any_configuration_there_is_no_slot_and_no_word(quietly):
    said = quietly("--list-slots", status=None)
    assert "Slot " not in said.out
    assert strangers(said.err) in ([], ["No slots."])
