"""The module on an embedded TPM that behaves as a chip does, on good days and bad ones."""

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
