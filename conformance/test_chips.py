"""The module on an embedded TPM that behaves as a chip does, on good days and bad ones."""

import glob

import pytest

pytestmark = [pytest.mark.signet]


@pytest.fixture
def sign(client, module, tpm_kind, key):
    """sign(environment, status=0): the output of a signature under these circumstances."""
    if tpm_kind != "embedded":
        pytest.skip("only the embedded TPM plays chips and faults")
    client.serve(key.name)
    client.write("input", b"x" * 32)

    def run(environment, status=0):
        mechanism = "SHA256-RSA-PKCS" if key.is_rsa else "ECDSA"
        pin = ["--login", "--pin", key.pin] if key.pin else []
        return client.run("pkcs11-tool", "--module", module.path, "--token-label", key.name, *pin,
                          "--sign", "--id", key.hex_id, "--mechanism", mechanism,
                          "--input-file", client.file("input"),
                          "--output-file", client.file("output"), status=status, env=environment)
    return run


@pytest.fixture
def fault(client, sign):
    """fault(schedule, status=0): the output of a signature while the TPM misbehaves."""
    return lambda schedule, status=0: sign(
        {"SIGNET_TPM_FAULTS": client.write("faults", schedule.encode())}, status)


@pytest.mark.keys("ec384")
def test_a_curve_that_the_chip_lacks_is_named(client, sign):
    said = sign({"SIGNET_TPM_PROFILE": "slb9670", "SIGNET_TPM_SPEED": "100000x"}, status=1).said
    assert "CKR_DEVICE_ERROR" in said
    assert any("this TPM has no keys of this kind" in line for line in client.log_lines())


@pytest.mark.keys("ec", "rsa")
@pytest.mark.parametrize("chip", ["slb9670", "amd-ftpm", "intel-ptt", "npct65x", "hostile"])
def test_chips_sign(sign, chip):
    sign({"SIGNET_TPM_PROFILE": chip, "SIGNET_TPM_SPEED": "100000x"})


@pytest.mark.keys("ec")
@pytest.mark.parametrize("schedule", [
    "Sign at 1 for 3 answer RETRY",
    "any at 2 for 2 answer YIELDED",
    "Sign at 1 reset",
    "Sign at 1 resume",
    "Sign at 1 handles gone",
    "Load at 1 answer OBJECT_MEMORY",
])
def test_what_passes_is_not_noticed(fault, schedule):
    fault(schedule)


@pytest.mark.keys("ec")
@pytest.mark.parametrize("schedule, code", [
    ("Sign answer LOCKOUT", "CKR_PIN_LOCKED"),
    ("Sign from 1 answer FAILURE", "CKR_DEVICE_ERROR"),
    ("any from 2 failure mode", "CKR_DEVICE_ERROR"),
])
def test_what_lasts_has_its_code_and_a_log_line(client, fault, schedule, code):
    assert code in fault(schedule, status=1).said
    assert any("TPM" in line for line in client.log_lines())


@pytest.fixture
def secret_token(client, make_token, tpm_kind):
    """secret_token(chip): a token on such a chip, which is to hold its secret keys."""
    if tpm_kind != "embedded":
        pytest.skip("only the embedded TPM plays chips")

    def make(chip):
        client.serving.update(SIGNET_TPM_PROFILE=chip, SIGNET_TPM_SPEED="100000x")
        token = make_token("secret keys = tpm")
        client.serving.update(SIGNET_TPM_PROFILE=chip, SIGNET_TPM_SPEED="100000x")
        return token.initialise()
    return make


def stored_key(token):
    """What the one secret key's file holds."""
    return next(glob.iglob(f"{token.client.serving['TOKEN_DISK']}/token/secret-key-*.pem"))


def holds(path, label):
    with open(path, encoding="utf-8") as text:
        return f"-----BEGIN {label}-----" in text.read()


@pytest.mark.parametrize("chip, label", [
    ("slb9670", "SIGNET SEALED SECRET"),  # has no TPM2_EncryptDecrypt
    ("amd-ftpm", "TSS2 PRIVATE KEY"),
])
def test_an_aes_key_is_in_the_chip_that_can_use_it(client, secret_token, chip, label):
    token = secret_token(chip)
    token.tool("--keygen", "--key-type", "AES:32", "--label", "aes", "--id", "01", "--sensitive",
               "--usage-decrypt", env={"SIGNET_LOG_LEVEL": "info"})
    assert holds(stored_key(token), label)
    lacking = [line for line in client.log_lines() if "lacks TPM2_EncryptDecrypt" in line]
    assert len(lacking) == (label != "TSS2 PRIVATE KEY")
    how = ["--id", "01", "--mechanism", "AES-CBC-PAD", "--iv", "00" * 16]
    token.tool("--encrypt", *how, "--input-file", client.write("plain", b"a text" * 300),
               "--output-file", client.file("cipher"))
    token.tool("--decrypt", *how, "--input-file", client.file("cipher"),
               "--output-file", client.file("back"))
    assert client.read("cipher") != client.read("plain")
    assert client.read("back") == client.read("plain")


@pytest.mark.parametrize("chip", ["slb9670", "amd-ftpm", "intel-ptt", "npct65x"])
def test_a_chip_makes_codes(client, secret_token, chip):
    token = secret_token(chip)
    token.tool("--keygen", "--key-type", "GENERIC:32", "--label", "mac", "--id", "01",
               "--sensitive", "--usage-sign")
    assert holds(stored_key(token), "TSS2 PRIVATE KEY")
    how = ["--id", "01", "--mechanism", "SHA256-HMAC", "--input-file",
           client.write("input", b"a text" * 300)]
    for name in ("one", "other"):
        token.tool("--sign", *how, "--output-file", client.file(name))
    assert len(client.read("one")) == 32 and client.read("one") == client.read("other")
