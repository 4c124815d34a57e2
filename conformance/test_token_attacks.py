"""What guards the PIN of a token directory, tried by who has its files and its TPM: old
files put back, NV indexes deleted and made anew, another TPM, mistyped PINs."""

import os
import re
import shutil
import stat

import pytest

from harness import tpm

pytestmark = pytest.mark.signet


@pytest.fixture
def story(token):
    """An initialised token with a key on it."""
    token.initialise().generate()
    return token


@pytest.fixture
def tpm2(client, spare_tpm):
    def run(program, *words, **how):
        return client.tool(program, "-T", spare_tpm.tcti, *words, **how).out
    return run


def can_sign(token):
    """What pkcs11-tool says; empty if it signed."""
    said = token.tool("--sign", "--mechanism", "ECDSA", "--id", b"key".hex(), "--input-file",
                      token.client.write("hash", bytes(32)), "--output-file",
                      token.client.file("signature"), status=None)
    return "" if said.status == 0 else said.said


def public_objects(token):
    return token.pkcs11_tool("--token-label", token.LABEL, "--list-objects").out


def indexes(token, group):
    """The NV indexes of a user, as its seal in the token's file names them."""
    with open(os.path.join(token.files, "token"), encoding="utf-8") as file:
        section = file.read().split(f"[{group}]")[1].split("\n[")[0]
    return dict(re.findall(r"^(pin|counter) index = (0x\w+)$", section, re.MULTILINE))


def put_back(token, copy):
    shutil.rmtree(token.files)
    shutil.copytree(copy, token.files)


def test_the_files_are_for_their_owner_alone(story):
    assert stat.S_IMODE(os.stat(story.files).st_mode) == 0o700
    for parent, _, names in os.walk(story.files):
        for name in names:
            assert stat.S_IMODE(os.stat(os.path.join(parent, name)).st_mode) & 0o077 == 0, name


def test_no_pin_and_no_private_value_is_in_any_file_or_in_the_log(client, story):
    story.PIN = "a-pin-to-look-for"
    story.pkcs11_tool("--token-label", story.LABEL, "--init-pin", "--login", "--login-type", "so",
                      "--so-pin", story.SO_PIN, "--pin", story.PIN, "--new-pin", story.PIN)
    story.tool("--write-object", client.write("notes", "a value to look for"), "--type", "data",
               "--label", "notes", "--private", env={"SIGNET_LOG_LEVEL": "debug"})
    everything = client.read("log")
    for parent, _, names in os.walk(story.files):
        for name in names:
            with open(os.path.join(parent, name), "rb") as file:
                everything += file.read()
    for word in (story.PIN, story.SO_PIN, "a value to look for"):
        assert word.encode() not in everything


def test_an_old_pin_is_dead_also_with_the_old_files(client, story):
    copy = client.file("old")
    shutil.copytree(story.files, copy)
    story.tool("--change-pin", "--new-pin", "98765")
    put_back(story, copy)
    assert "CKR_" in can_sign(story)
    story.PIN = "98765"
    assert "CKR_" in can_sign(story)
    assert "Public Key Object" in public_objects(story)


def test_an_old_so_pin_is_dead_also_with_the_old_files(client, story):
    copy = client.file("old")
    shutil.copytree(story.files, copy)
    story.pkcs11_tool("--token-label", story.LABEL, "--change-pin", "--login", "--login-type", "so",
                      "--so-pin", story.SO_PIN, "--new-pin", "another so pin")
    put_back(story, copy)
    said = story.pkcs11_tool("--token-label", story.LABEL, "--init-pin", "--login", "--login-type",
                             "so", "--so-pin", story.SO_PIN, "--pin", "0000", "--new-pin", "0000",
                             status=1).said
    assert "CKR_" in said


def test_the_old_files_of_a_token_that_was_initialised_again_are_dead(client, story):
    copy = client.file("old")
    shutil.copytree(story.files, copy)
    story.initialise()
    put_back(story, copy)
    assert "CKR_" in can_sign(story)


def test_old_files_reset_no_count(client, make_token):
    token = make_token("user tries = 3")
    token.initialise().generate()
    copy, pin = client.file("old"), token.PIN
    shutil.copytree(token.files, copy)
    token.PIN = "wrong"
    for _ in range(3):
        assert can_sign(token)
        put_back(token, copy)
    token.PIN = pin
    assert "CKR_PIN_LOCKED" in can_sign(token)


def test_each_user_has_gates_of_its_own_in_the_nv(story, tpm2):
    there = tpm2("tpm2_nvreadpublic")
    found = [*indexes(story, "user").values(), *indexes(story, "so").values()]
    assert len(set(found)) == 4
    for index in found:
        assert re.search(rf"(?i){index[2:].lstrip('0')}", there), f"{index} is not in {there}"


@pytest.mark.parametrize("which", ["pin", "counter"])
def test_who_deletes_an_index_shuts_the_token_and_is_told_of(client, story, tpm2, which):
    tpm2("tpm2_nvundefine", "-C", "o", indexes(story, "user")[which])
    assert "CKR_DEVICE_ERROR" in can_sign(story)
    assert "Public Key Object" in public_objects(story)
    assert re.search(r"(?i)index", "\n".join(client.log_lines()))


def describe(tpm2, index):
    """Name, attributes as they were when it was defined, size, policy."""
    said = tpm2("tpm2_nvreadpublic", index)
    name, size = (re.search(rf"{word}: (\w+)", said).group(1) for word in ("name", "size"))
    value = re.search(r"attributes:\s+friendly: .*\s+value: (0x\w+)", said).group(1)
    policy = re.search(r"authorization policy: (\w+)", said)
    defined = int(value, 16) & ~0x20000000  # but for TPMA_NV_WRITTEN
    return name, hex(defined), size, bytes.fromhex(policy.group(1) if policy else "")


def define_anew(client, tpm2, index, password):
    """Deletes an index and makes it again, with the attacker's password."""
    _, attributes, size, policy = describe(tpm2, index)
    tpm2("tpm2_nvundefine", "-C", "o", index)
    tpm2("tpm2_nvdefine", "-C", "o", index, "-s", size, "-a", attributes, "-p", password,
         *(["-L", client.write("policy", policy)] if policy else []))


def test_who_makes_the_pins_index_anew_meets_the_second_gate(client, story, tpm2):
    """The same name in the TPM, a PIN of the attacker's own: the seal asks for the old one."""
    index = indexes(story, "user")["pin"]
    before = describe(tpm2, index)[0]
    define_anew(client, tpm2, index, "1111")
    tpm2("tpm2_nvwrite", "-C", "o", index, "-i", client.write("zero", bytes(7) + b"\x0a"))
    assert describe(tpm2, index)[0] == before
    for pin in ("1111", "1234"):
        story.PIN = pin
        assert "CKR_" in can_sign(story)


def test_who_makes_the_counter_anew_does_not_revive_the_old_files(client, story, tpm2):
    copy, index = client.file("old"), indexes(story, "user")["counter"]
    shutil.copytree(story.files, copy)
    before = describe(tpm2, index)[0]
    story.tool("--change-pin", "--new-pin", "98765")
    define_anew(client, tpm2, index, "1111")
    tpm2("tpm2_nvincrement", "-C", "o", index)
    assert describe(tpm2, index)[0] == before
    put_back(story, copy)
    assert "CKR_" in can_sign(story)


def lockout_counter(tpm2):
    said = tpm2("tpm2_getcap", "properties-variable")
    return int(re.search(r"TPM2_PT_LOCKOUT_COUNTER: (0x\w+)", said).group(1), 16)


def test_mistyped_pins_are_no_matter_for_the_whole_tpm(story, tpm2):
    before, pin = lockout_counter(tpm2), story.PIN
    for _ in range(4):
        story.PIN = "mistyped"
        assert "CKR_PIN_INCORRECT" in can_sign(story)
        story.PIN = pin
        story.pkcs11_tool("--token-label", story.LABEL, "--init-pin", "--login", "--login-type",
                          "so", "--so-pin", "mistyped", "--pin", "0", "--new-pin", "0", status=1)
    assert lockout_counter(tpm2) == before
    assert can_sign(story) == ""


@pytest.fixture
def another_tpm(tpm_kind, build, client):
    started = tpm.start(tpm_kind, build, client.file("other-tpm"))
    yield started
    started.stop()


def test_on_another_tpm_the_token_is_seen_and_not_used(client, story, spare_tpm, another_tpm):
    conf = client.serving["SIGNET_CONF"]
    with open(conf, encoding="utf-8") as file:
        text = file.read()
    with open(conf, "w", encoding="utf-8") as file:
        file.write(text.replace(spare_tpm.word, another_tpm.word))
    assert "CKR_DEVICE_ERROR" in can_sign(story)
    assert "Public Key Object" in public_objects(story)
    assert re.search(r"(?i)not the TPM that", "\n".join(client.log_lines()))
    with open(conf, "w", encoding="utf-8") as file:
        file.write(text)
    assert can_sign(story) == ""


def test_a_cleared_tpm_says_so(client, tpm_kind, build, module, fixtures, another_tpm):
    from harness.writable import Writable
    token = Writable(client, module, another_tpm, fixtures).initialise()
    token.generate()
    client.tool("tpm2_clear", "-T", another_tpm.tcti, "-c", "p", status=None)
    client.tool("tpm2_clear", "-T", another_tpm.tcti, "-c", "l", status=None)
    assert "CKR_DEVICE_ERROR" in can_sign(token)
    assert "Public Key Object" in public_objects(token)
    assert re.search(r"(?i)cleared|another TPM|other TPM", "\n".join(client.log_lines()))


def test_initialising_again_gives_its_indexes_back(story, tpm2):
    before = tpm2("tpm2_getcap", "handles-nv-index").count("0x")
    for _ in range(3):
        story.initialise()
    story.generate()
    story.tool("--change-pin", "--new-pin", "98765")
    story.PIN = "98765"
    story.tool("--change-pin", "--new-pin", "1234")
    assert tpm2("tpm2_getcap", "handles-nv-index").count("0x") == before


def test_a_key_of_the_token_needs_its_secret(client, story, spare_tpm):
    """Whoever has key file and TPM, but no PIN, does not sign with other tools."""
    clients_file = next(name for name in os.listdir(story.files) if name.startswith("key-"))
    said = client.tool(
        "openssl", "pkeyutl", "-provider", "tpm2", "-provider", "default", "-sign", "-inkey",
        os.path.join(story.files, clients_file), "-passin", "pass:", "-in",
        client.write("hash", bytes(32)), "-out", client.file("signature"), status=None,
        env={"TPM2OPENSSL_TCTI": spare_tpm.tcti, "TSS2_LOG": "all+none"})
    assert said.status != 0


def test_a_token_without_pin_serves_other_tools(client, make_token, spare_tpm, module):
    token = make_token("pin = none")
    token.pkcs11_tool("--init-token", "--slot-index", 0, "--label", token.LABEL,
                      "--so-pin", token.SO_PIN)
    token.pkcs11_tool("--token-label", token.LABEL, "--keypairgen", "--key-type", "EC:secp256r1",
                      "--label", "key", "--id", "01")
    name = next(name for name in os.listdir(token.files) if name.startswith("key-"))
    client.tool("openssl", "pkeyutl", "-provider", "tpm2", "-provider", "default", "-sign",
                "-inkey", os.path.join(token.files, name), "-in", client.write("hash", bytes(32)),
                "-out", client.file("signature"),
                env={"TPM2OPENSSL_TCTI": spare_tpm.tcti, "TSS2_LOG": "all+none"})
    assert client.read("signature")
