"""The module on an embedded TPM that behaves as a chip does, on good days and bad ones."""

import glob
import hashlib
import re

import pytest

from harness.directory import Directory
from harness.verify import verifies

pytestmark = [pytest.mark.signet]

CHIPS = ["intel-ptt", "intel-ptt-old", "amd-ftpm", "slb9670", "slb9672", "npct75x", "npct65x",
         "st33", "minimal", "hostile"]
WITHOUT_P384 = ["intel-ptt-old", "slb9670", "npct65x", "minimal", "hostile"]


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


# Token directories.

MESSAGE = b"Signed by a key that was made on a chip.\n"


@pytest.fixture
def token_on(client, module, build, tpm_kind):
    """token_on(chip): a directory whose TPM is such a chip, at full speed."""
    if tpm_kind != "embedded":
        pytest.skip("only the embedded TPM plays chips and faults")

    def make(chip, extra="", tpm=""):
        directory = Directory(client, module, build, extra)
        if tpm:
            directory.tcti += f",{tpm}"
            client.write("directory.conf", client.read("directory.conf").decode().replace(
                f"embedded:{directory.tpm}", directory.tcti))
        client.serving.update({"SIGNET_TPM_PROFILE": chip, "SIGNET_TPM_SPEED": "100000x"})
        return directory
    return make


def user(directory, *words, status=0, pin="1234"):
    return directory.tool("--login", "--pin", pin, *words, status=status)


def ident(label):
    return label.encode().hex()


def signature(client, directory, label, rsa):
    digest = hashlib.sha256(MESSAGE).digest()
    how = ["SHA256-RSA-PKCS"] if rsa else ["ECDSA", "--signature-format", "openssl"]
    user(directory, "--sign", "--id", ident(label), "--mechanism", *how, "--output-file",
         client.file("output"), "--input-file", client.write("input", MESSAGE if rsa else digest))
    return client.read("output")


def public_key(client, directory, label):
    user(directory, "--read-object", "--type", "pubkey", "--label", label, "--output-file",
         client.file("public"))
    return client.tool("openssl", "pkey", "-pubin", "-inform", "DER", "-in",
                       client.file("public")).out


def tokens_indexes(directory):
    """Without those of the endorsement key's certificates."""
    return [index for index in directory.indexes() if index < 0x01c00000]


def live(client, directory):
    """From its initialisation to a changed PIN."""
    directory.initialise()
    directory.set_pin()
    for label, kind in ("p256", "EC:prime256v1"), ("rsa", "rsa:2048"):
        user(directory, "--keypairgen", "--key-type", kind, "--label", label, "--id", ident(label))
        pem = client.write(f"{label}.pub", public_key(client, directory, label))
        assert verifies(client, pem, signature(client, directory, label, label == "rsa"), MESSAGE)
    assert "CKR_PIN_INCORRECT" in user(directory, "--list-objects", pin="wrong", status=1).said
    user(directory, "--change-pin", "--new-pin", "secret")
    user(directory, "--list-objects", status=1)
    user(directory, "--list-objects", pin="secret")
    directory.initialise()
    assert len(tokens_indexes(directory)) == 2, "of the SO alone"


@pytest.mark.wrong_pin
@pytest.mark.parametrize("chip", CHIPS)
def test_a_token_lives_on_a_chip(client, token_on, chip):
    live(client, token_on(chip))


@pytest.mark.wrong_pin
@pytest.mark.parametrize("chip", ["slb9670", "minimal", "hostile"])
def test_a_token_lives_on_a_chip_that_nothing_manages(client, token_on, chip):
    """As on /dev/tpm0: what is left loaded stays, and nobody makes room."""
    directory = token_on(chip, tpm="rm=off")
    live(client, directory)
    for kind in ("handles-transient", "handles-loaded-session"):
        assert directory.tpm2("tpm2_getcap", kind) == ""


@pytest.mark.parametrize("chip", CHIPS)
def test_a_kind_of_key_that_the_chip_lacks_is_refused_by_name(token_on, chip):
    directory = token_on(chip)
    directory.initialise()
    directory.set_pin()
    said = user(directory, "--keypairgen", "--key-type", "EC:secp384r1", "--label", "p384",
                status=int(chip in WITHOUT_P384)).said
    assert ("0x140" in said) == (chip in WITHOUT_P384), "CKR_CURVE_NOT_SUPPORTED"


def fill(directory):
    """The TPM's NV, to the last byte that an index of 8 needs. The last handles are large."""
    for size in (1600, 256, 8):
        index = 0x01810000 + size * 256
        while not directory.client.tool("tpm2_nvdefine", "-T", directory.tcti, "-C", "o", "-s",
                                        size, hex(index), env={"TSS2_LOG": "all+none"},
                                        status=None).status:
            index += 1


def test_without_nv_room_the_second_gate_stands_alone(client, token_on, build):
    directory = token_on("slb9670", tpm="profile=slb9670,speed=100000x")
    fill(directory)
    before = directory.indexes()
    directory.initialise()
    directory.set_pin()
    assert any("has no room for NV indexes" in line for line in client.log_lines())
    user(directory, "--list-objects")
    assert directory.indexes() == before
    told = client.run(f"{build}/signet", "doctor").out
    assert told.count("guarded by the TPM's dictionary-attack logic alone") == 2
    # What the TPM has room for later is used when the PIN is set anew.
    directory.tpm2("tpm2_nvundefine", "-C", "o", hex(max(tokens_indexes(directory))))
    directory.set_pin()
    assert len(directory.indexes()) == len(before) + 1
    told = client.run(f"{build}/signet", "doctor").out
    assert re.search(r"PIN .*\n +guarded by a try counter of its own", told)


def test_an_owner_who_comes_later_lets_the_user_in(client, token_on):
    directory = token_on("st33")
    root = client.file("root.ctx")
    directory.tpm2("tpm2_createprimary", "-C", "o", "-G", "ecc", "-c", root, "-a",
                   "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt")
    directory.tpm2("tpm2_evictcontrol", "-C", "o", "-c", root, "0x81000001")
    directory.initialise()
    directory.set_pin()
    directory.tpm2("tpm2_changeauth", "-c", "owner", "secret")
    user(directory, "--keypairgen", "--key-type", "EC:prime256v1", "--label", "key", "--id",
         ident("key"))
    assert len(signature(client, directory, "key", False)) >= 64
    said = user(directory, "--change-pin", "--new-pin", "4321", status=1).said
    assert "CKR_DEVICE_ERROR" in said
    assert any("tpm2_changeauth -c owner -p OLD" in line for line in client.log_lines())
    user(directory, "--list-objects")
    directory.tpm2("tpm2_changeauth", "-c", "owner", "-p", "secret")
    user(directory, "--change-pin", "--new-pin", "4321")
    user(directory, "--list-objects", pin="4321")
