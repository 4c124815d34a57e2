"""What guards the PIN of a token directory, tried by who has its files and its TPM: old
files put back, NV indexes deleted and made anew, another TPM, mistyped PINs; and by who
waits for the user to log in: files edited, moved, planted."""

import base64
import hmac
import os
import re
import shutil
import stat

import pytest

from harness import tpm
from harness.writable import Writable

pytestmark = pytest.mark.signet


@pytest.fixture
def story(token):
    """An initialised token with a key on it."""
    token.initialise().generate()
    return token


@pytest.fixture
def tpm2(client, spare_tpm):
    def run(program, *words, **how):
        return client.run(program, "-T", spare_tpm.tcti, *words, **how).out
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


def logged(client, pattern):
    return re.search(pattern, "\n".join(client.log_lines()))


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
    assert "CKR_DEVICE_ERROR" in can_sign(story)
    assert logged(client, "this is an old copy of the token: its PIN was changed")
    story.PIN = "98765"
    assert "CKR_DEVICE_ERROR" in can_sign(story)
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
    assert "CKR_DEVICE_ERROR" in can_sign(story)
    assert logged(client, "counter, NV index 0x[0-9a-f]+, was deleted from the TPM")


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


def test_a_cleared_tpm_says_so(client, module, fixtures, another_tpm):
    token = Writable(client, module, another_tpm, fixtures).initialise()
    token.generate()
    client.run("tpm2_clear", "-T", another_tpm.tcti, "-c", "p", status=None)
    client.run("tpm2_clear", "-T", another_tpm.tcti, "-c", "l", status=None)
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
    said = client.run(
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
    client.run("openssl", "pkeyutl", "-provider", "tpm2", "-provider", "default", "-sign",
                "-inkey", os.path.join(token.files, name), "-in", client.write("hash", bytes(32)),
                "-out", client.file("signature"),
                env={"TPM2OPENSSL_TCTI": spare_tpm.tcti, "TSS2_LOG": "all+none"})
    assert client.read("signature")


def reset_user(token):
    """By the SO, who has forgotten nothing."""
    token.pkcs11_tool("--token-label", token.LABEL, "--init-pin", "--login", "--login-type", "so",
                      "--so-pin", token.SO_PIN, "--pin", "1234", "--new-pin", "1234")
    token.PIN = "1234"


def salt(token):
    with open(os.path.join(token.files, "token"), encoding="utf-8") as file:
        section = file.read().split("[user]")[1]
    return bytes.fromhex(re.search(r"^salt = hex:(\w+)$", section, re.MULTILINE).group(1))


def test_a_pin_of_ones_own_at_an_index_made_anew_counts_for_the_whole_tpm(client, story, tpm2):
    """The attacker does all right, by what FORMAT.md and the token's file say."""
    tpm2("tpm2_dictionarylockout", "-c")
    index, pin = indexes(story, "user")["pin"], b"7777"
    auth = hmac.digest(salt(story), b"signet pin index\0" + pin, "sha256")
    define_anew(client, tpm2, index, f"hex:{auth.hex()}")
    tpm2("tpm2_nvwrite", "-C", "o", index, "-i", client.write("zero", bytes(7) + b"\x0a"))
    before = lockout_counter(tpm2)
    story.PIN = pin.decode()
    assert "CKR_PIN_INCORRECT" in can_sign(story)
    assert lockout_counter(tpm2) == before + 1
    assert logged(client, "somebody with owner authorisation defined the index anew")
    tpm2("tpm2_dictionarylockout", "-c")
    story.PIN = "1234"
    assert "CKR_PIN_INCORRECT" in can_sign(story)
    reset_user(story)
    assert can_sign(story) == ""


def test_wrong_pins_lock_one_user_of_one_token(client, make_token, tpm2):
    token = make_token("user tries = 3\n[other]\ntoken directory = other")
    token.initialise().generate()
    token.pkcs11_tool("--init-token", "--slot-index", 1, "--label", "other", "--so-pin", "87654321")
    token.pkcs11_tool("--token-label", "other", "--init-pin", "--login", "--login-type", "so",
                      "--so-pin", "87654321", "--pin", "1234", "--new-pin", "1234")
    before = lockout_counter(tpm2)
    token.PIN = "wrong"
    for _ in range(3):
        assert can_sign(token)
    token.PIN = "1234"
    assert "CKR_PIN_LOCKED" in can_sign(token)
    assert logged(client, "3 of 3 tries are used; it is locked until the SO sets a new one")
    assert lockout_counter(tpm2) == before
    token.pkcs11_tool("--token-label", "other", "--login", "--pin", "1234", "--list-objects")
    reset_user(token)
    assert can_sign(token) == ""


def sealed(client, token):
    """The two halves of what is sealed for the user, as tpm2-tools load them."""
    with open(os.path.join(token.files, "token"), encoding="utf-8") as file:
        section = file.read().split("[user]")[1]
    pem = re.search(r"-----BEGIN TSS2 PRIVATE KEY-----(.*?)-----END", section, re.DOTALL).group(1)
    der = base64.b64decode(pem)
    said = client.tool("openssl", "asn1parse", "-inform", "DER", "-in", client.write("der", der)).out
    places = re.findall(r"^ *(\d+):d=1 +hl=(\d+) l= *(\d+) prim: OCTET STRING", said, re.MULTILINE)
    halves = [der[int(at) + int(head):][:int(size)] for at, head, size in places[-2:]]
    return client.write("seal.pub", halves[0]), client.write("seal.priv", halves[1])


def test_the_sealed_secret_opens_to_no_other_tool(client, story, tpm2, spare_tpm):
    public, private = sealed(client, story)
    work = client.file
    root = "restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda"
    tpm2("tpm2_createprimary", "-C", "o", "-G", "ecc", "-g", "sha256", "-a", root, "-c",
         work("root"))
    tpm2("tpm2_load", "-C", work("root"), "-u", public, "-r", private, "-c", work("seal"))

    def unseal(*auth):
        said = client.tool("tpm2_unseal", "-T", spare_tpm.tcti, "-c", work("seal"), *auth,
                           status=None, env={"TSS2_LOG": "all+none"})
        assert said.status != 0 and not said.out
        tpm2("tpm2_flushcontext", "-t")
    tpm2("tpm2_flushcontext", "-t")
    unseal()
    unseal("-p", story.PIN)
    counter = indexes(story, "user")["counter"]
    with open(os.path.join(story.files, "token"), encoding="utf-8") as file:
        value = int(re.search(r"^counter = (\d+)$", file.read(), re.MULTILINE).group(1))
    for gates in ((), ("nv",)):
        tpm2("tpm2_startauthsession", "--policy-session", "-S", work("session"))
        if gates:
            tpm2("tpm2_policynv", "-S", work("session"), "-C", counter, "-i",
                 client.write("value", value.to_bytes(8, "big")), counter, "eq")
        tpm2("tpm2_policyauthvalue", "-S", work("session"))
        unseal("-p", f"session:{work('session')}+{story.PIN}")
        tpm2("tpm2_flushcontext", work("session"))


def test_who_deletes_the_pins_index_gets_no_new_tries(client, make_token, tpm2):
    """At best he has an index that asks for a PIN of his own."""
    token = make_token("user tries = 3")
    token.initialise().generate()
    index = indexes(token, "user")["pin"]
    token.PIN = "wrong"
    for _ in range(3):
        assert can_sign(token)
    define_anew(client, tpm2, index, "1111")
    tpm2("tpm2_nvwrite", "-C", "o", index, "-i", client.write("zero", bytes(7) + b"\x03"))
    for pin in ("wrong", "1234"):
        token.PIN = pin
        assert "CKR_" in can_sign(token)


# Who can write the files.


def entry(token, kind):
    name = next(name for name in os.listdir(token.files) if name.startswith(f"{kind}-"))
    return os.path.join(token.files, name)


def edit(path, *changes):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for old, new in changes:
        assert f"\n{old}\n" in text, (old, text)
        text = text.replace(f"\n{old}\n", f"\n{new}\n")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


LOOSE = [("sensitive = true", "sensitive = false"), ("extractable = false", "extractable = true")]


def encrypt(token, status):
    return token.tool("--encrypt", "--id", "0a", "--mechanism", "AES-ECB", "--input-file",
                      token.client.write("plain", bytes(16)), "--output-file",
                      token.client.file("cipher"), status=status).said


def test_a_secret_key_that_was_made_extractable_by_hand_is_refused(client, story):
    story.tool("--keygen", "--key-type", "AES:32", "--label", "aes", "--id", "0a",
               "--usage-decrypt", "--sensitive")
    story.tool("--keypairgen", "--key-type", "rsa:2048", "--label", "wrapping", "--id", "0b",
               "--usage-wrap", "--usage-decrypt")
    encrypt(story, 0)
    path = entry(story, "secret-key")
    edit(path, *LOOSE)
    story.tool("--wrap", "--mechanism", "RSA-PKCS", "--id", "0b", "--application-id", "0a",
               "--output-file", client.file("wrapped"), status=1)
    assert logged(client, "its file was changed by hand .*'sensitive' or 'extractable'")
    encrypt(story, 1)
    edit(path, *((new, old) for old, new in LOOSE))
    encrypt(story, 0)


def test_a_key_in_the_tpm_gives_nothing_away_whatever_its_file_says(client, story):
    edit(entry(story, "key"), *LOOSE)
    story.tool("--read-object", "--type", "privkey", "--id", b"key".hex(), "--output-file",
               client.file("read"), status=None)
    assert not os.path.exists(client.file("read"))
    assert can_sign(story)
    assert logged(client, "the key refuses the authorisation that its token has for it")


def test_without_a_pin_a_public_line_gives_no_key_away(story):
    """Seen by all it is; used it is not."""
    edit(entry(story, "key"), ("private = true", "private = false"))
    assert "Private Key Object" in public_objects(story)
    story.pkcs11_tool("--token-label", story.LABEL, "--sign", "--mechanism", "ECDSA", "--id",
                      b"key".hex(), "--input-file", story.client.write("hash", bytes(32)),
                      "--output-file", story.client.file("signature"), status=1)
    assert can_sign(story) == ""


def test_private_data_cannot_be_declared_public(client, story):
    story.tool("--write-object", client.write("notes", "a value to look for"), "--type", "data",
               "--label", "notes", "--private")
    edit(entry(story, "data"), ("private = true", "private = false"))
    assert "notes" not in public_objects(story)
    assert "notes" not in story.tool("--list-objects").out
    assert logged(client, "'encrypted value' is for private data alone")


def test_an_entry_of_another_token_is_left_out(client, make_token):
    token = make_token("[other]\ntoken directory = other")
    token.initialise().generate()
    token.pkcs11_tool("--init-token", "--slot-index", 1, "--label", "other", "--so-pin", "87654321")
    token.pkcs11_tool("--token-label", "other", "--init-pin", "--login", "--login-type", "so",
                      "--so-pin", "87654321", "--pin", "4321", "--new-pin", "4321")
    other = os.path.join(os.path.dirname(client.serving["SIGNET_CONF"]), "other")
    path = entry(token, "key")
    shutil.copy(path, other)
    said = token.pkcs11_tool("--token-label", "other", "--login", "--pin", "4321",
                             "--list-objects").out
    assert "Key Object" not in said
    assert logged(client, "it belongs to another token")
    # Made to say that it is the other's, it is not used there either.
    ids = []
    for directory in (token.files, other):
        with open(os.path.join(directory, "token"), encoding="utf-8") as file:
            ids.append(re.search(r"^token = (\w+)$", file.read(), re.MULTILINE).group(1))
    edit(os.path.join(other, os.path.basename(path)), (f"token = {ids[0]}", f"token = {ids[1]}"))
    token.pkcs11_tool("--token-label", "other", "--login", "--pin", "4321", "--sign",
                      "--mechanism", "ECDSA", "--id", b"key".hex(), "--input-file",
                      client.write("hash", bytes(32)), "--output-file", client.file("signature"),
                      status=1)
    assert logged(client, "the key refuses the authorisation that its token has for it")


def plant(client, token, conf_line):
    """A token without PIN in the place of the user's, which says that it is the same."""
    ids, planted = [], client.file("planted")
    conf = client.serving["SIGNET_CONF"]
    with open(conf, encoding="utf-8") as file:
        text = file.read()
    with open(conf, "w", encoding="utf-8") as file:
        file.write(text.replace(token.files, planted) + "\npin = none\n")
    token.pkcs11_tool("--init-token", "--slot-index", 0, "--label", token.LABEL, "--so-pin", "1")
    with open(conf, "w", encoding="utf-8") as file:
        file.write(text + conf_line)
    for directory in (token.files, planted):
        with open(os.path.join(directory, "token"), encoding="utf-8") as file:
            ids.append(re.search(r"^token = (\w+)$", file.read(), re.MULTILINE).group(1))
    shutil.copy(os.path.join(planted, "token"), token.files)
    edit(os.path.join(token.files, "token"), (f"token = {ids[1]}", f"token = {ids[0]}"))


def test_a_planted_token_without_pin_does_not_open_the_users_keys(client, story):
    """Any PIN does for it, but the keys are another secret's."""
    plant(client, story, "")
    for pin in ("1234", "anything"):
        story.PIN = pin
        assert "CKR_" in can_sign(story)
    assert logged(client, "the key refuses the authorisation that its token has for it")


def test_a_planted_token_without_pin_is_refused_where_one_is_required(client, story):
    plant(client, story, "\npin = required\n")
    for login in (["--login", "--pin", "1234"], ["--login", "--login-type", "so", "--so-pin", "1"]):
        story.pkcs11_tool("--slot-index", 0, *login, "--keypairgen", "--key-type", "EC:secp256r1",
                          "--label", "new", status=1)
    story.pkcs11_tool("--init-token", "--slot-index", 0, "--label", "x", "--so-pin", "1", status=1)
    assert logged(client, "it says 'pin = none', but the configuration 'pin = required'")
