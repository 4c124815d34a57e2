"""Only what the user typed is sent as his PIN, once, and only a wrong PIN is called wrong."""

import os
import re
import subprocess

import pytest

from harness import clients, sanitize

pytestmark = pytest.mark.signet


def tpm2(tool, the_tpm, *words):
    done = subprocess.run([clients.need(tool), "-T", the_tpm.tcti, *words], check=True,
                          capture_output=True, text=True,
                          env={**os.environ, **sanitize.environment()})
    return done.stdout


def wrong_tries(the_tpm):
    said = tpm2("tpm2_getcap", the_tpm, "properties-variable")
    return int(re.search(r"TPM2_PT_LOCKOUT_COUNTER: 0x(\w+)", said).group(1), 16)


def sign(client, module, key, *words, status=None):
    return client.run("pkcs11-tool", "--module", module.path, "--token-label", key.name, *words,
                      "--sign", "--id", key.hex_id, "--mechanism", "ECDSA",
                      "--input-file", client.write("input", bytes(32)),
                      "--output-file", client.file("output"), status=status)


@pytest.fixture
def spoilt(tpm_kind):
    if tpm_kind == "device":
        pytest.skip("not with a machine's own TPM")


@pytest.mark.keys("ec-pin")
def test_a_key_whose_pin_was_forgotten_is_asked_once(client, module, the_tpm, spoilt, key):
    """pkcs11-tool tries twice; a server would try for ever, and lock the whole TPM."""
    client.serve(key.name)
    client.write("signet.conf", client.read("signet.conf").decode() + "\npin = none\n")
    before = wrong_tries(the_tpm)
    said = sign(client, module, key, status=1).said
    assert "CKR_USER_NOT_LOGGED_IN" in said
    assert wrong_tries(the_tpm) - before == 1
    assert any("pin = required" in line for line in client.log_lines())


@pytest.mark.keys("ec-pin")
def test_the_owners_authorisation_is_not_the_users_pin(client, module, the_tpm, spoilt, key):
    client.serve(key.name)
    tpm2("tpm2_changeauth", the_tpm, "-c", "owner", "secret")
    try:
        said = sign(client, module, key, "--login", "--pin", key.pin, status=1).said
    finally:
        tpm2("tpm2_changeauth", the_tpm, "-c", "owner", "-p", "secret")
    assert "CKR_DEVICE_ERROR" in said and "CKR_PIN" not in said
    assert any("authorisation of its own" in line for line in client.log_lines())
    sign(client, module, key, "--login", "--pin", key.pin, status=0)
