"""The life of a token directory on embedded TPMs that play chips: slow, small, full, owned."""

import hashlib
import re

import pytest

from harness import sanitize
from harness.directory import Directory
from harness.verify import verifies

pytestmark = [pytest.mark.signet]

CHIPS = ["intel-ptt", "intel-ptt-old", "amd-ftpm", "slb9670", "slb9672", "npct75x", "npct65x",
         "st33", "minimal", "hostile"]
WITHOUT_P384 = ["intel-ptt-old", "slb9670", "npct65x", "minimal", "hostile"]
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
    """By p11tool: OpenSC's tool uses what it has freed when it reads an EC key."""
    return client.run("p11tool", "--provider", directory.module.path, "--batch", "--login",
                      "--export-pubkey",
                      f"pkcs11:token=work;object={label};type=private?pin-value=1234").out


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
                                        size, hex(index), status=None,
                                        env={"TSS2_LOG": "all+none", **sanitize.environment()}
                                        ).status:
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
