"""The life of a token by OpenSC's pkcs11-tool, to a TLS handshake with the key it made."""

import hashlib
import re

import pytest

from harness.verify import verifies

MESSAGE = b"Signed by a key that was made here.\n"
KINDS = ["rsa:2048", "EC:secp256r1", "EC:secp384r1"]


def objects(said):
    """(kind, label) of each object in a list."""
    return re.findall(r"^([A-Z][\w ]+ Object)(?:;.*)?(?:\n  .*)*?\n  label: +'?(.*?)'?$", said,
                      re.MULTILINE)


def sign(token, kind, label="key"):
    """A signature of the message; DER for EC."""
    client, hex_id = token.client, label.encode().hex()
    rsa = kind.startswith("rsa")
    digest = hashlib.sha256(MESSAGE).digest()
    how = ["--mechanism", "SHA256-RSA-PKCS"] if rsa else \
        ["--mechanism", "ECDSA", "--signature-format", "openssl"]
    token.tool("--sign", "--id", hex_id, *how,
               "--input-file", client.write("input", MESSAGE if rsa else digest),
               "--output-file", client.file("output"))
    return client.read("output")


def test_an_uninitialised_token_is_shown_as_such(token):
    assert "uninitialized" in token.pkcs11_tool("--list-slots").out


def test_a_token_is_initialised_with_both_pins(token):
    token.initialise()
    slots = token.pkcs11_tool("--list-token-slots").out.split("token label        : story\n")[1]
    flags = re.search(r"token flags +: (.*)", slots).group(1)
    for flag in ("login required", "token initialized", "PIN initialized", "rng"):
        assert flag in flags
    assert "readonly" not in flags


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_pair_is_made_listed_and_signs(client, token, kind):
    token.initialise()
    token.generate(kind=kind)
    listed = objects(token.tool("--list-objects").out)
    assert ("Private Key Object", "key") in listed and ("Public Key Object", "key") in listed
    assert verifies(client, token.public_key(), sign(token, kind), MESSAGE)


@pytest.mark.killed
@pytest.mark.parametrize("kind", KINDS)
def test_a_key_made_by_pkcs11_tool_serves_tls(token, kind):
    token.initialise()
    token.generate(kind=kind)
    certificate = token.certify(token.request())
    token.handshake("key", certificate)
    token.handshake("key", certificate, "tls1_2")


def test_the_user_changes_the_pin(token):
    token.initialise()
    token.tool("--change-pin", "--new-pin", "98765")
    said = token.tool("--list-objects", status=1).said
    assert "CKR_PIN_INCORRECT" in said
    token.PIN = "98765"
    token.generate()


def test_the_so_sets_a_forgotten_pin_anew(token):
    token.initialise()
    token.generate()
    token.pkcs11_tool("--token-label", token.LABEL, "--init-pin", "--login", "--login-type", "so",
                      "--so-pin", token.SO_PIN, "--pin", "another", "--new-pin", "another")
    token.tool("--list-objects", status=1)
    token.PIN = "another"
    assert sign(token, "EC")


def test_the_so_changes_its_pin(token):
    token.initialise()
    token.pkcs11_tool("--token-label", token.LABEL, "--change-pin", "--login-type", "so", "--login",
                      "--so-pin", token.SO_PIN, "--new-pin", "a new so pin")
    said = token.pkcs11_tool("--token-label", token.LABEL, "--init-pin", "--login", "--login-type",
                             "so", "--so-pin", token.SO_PIN, "--pin", "1", "--new-pin", "12345",
                             status=1).said
    assert "CKR_PIN_INCORRECT" in said


def test_what_pkcs11_tool_calls_unlocking_needs_the_users_pin(token):
    """It is C_SetPIN, and the SO's PIN is not the user's."""
    token.initialise()
    token.pkcs11_tool("--token-label", token.LABEL, "--unlock-pin", "--puk", token.SO_PIN,
                      "--new-pin", "98765", status=1)
    token.generate()


def test_a_token_is_initialised_again_and_is_empty(token):
    token.initialise()
    token.generate()
    token.pkcs11_tool("--init-token", "--slot-index", 0, "--label", "other", "--so-pin", "00000000",
                      status=1)
    token.tool("--list-objects")
    token.initialise()
    assert objects(token.tool("--list-objects").out) in ([], [("Profile object", "")])


@pytest.fixture
def files(client):
    """A key pair with its certificate, as DER."""
    conf = client.write("req.cnf", "[req]\ndistinguished_name = dn\n[dn]\n")

    def make(*algorithm):
        client.tool("openssl", "req", "-x509", "-newkey", *algorithm, "-nodes", "-subj",
                    "/CN=imported", "-config", conf, "-keyout", client.file("key.pem"),
                    "-out", client.file("cert.pem"), "-days", 30)
        client.tool("openssl", "pkey", "-in", client.file("key.pem"), "-outform", "DER",
                    "-out", client.file("key.der"))
        client.tool("openssl", "pkey", "-in", client.file("key.pem"), "-pubout",
                    "-out", client.file("key.pub"))
        client.tool("openssl", "x509", "-in", client.file("cert.pem"), "-outform", "DER",
                    "-out", client.file("cert.der"))
    return make


IMPORTED = {"rsa": ["rsa:2048"], "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}


@pytest.mark.parametrize("kind", IMPORTED)
def test_a_key_and_its_certificate_are_imported_and_used(client, token, files, kind):
    files(*IMPORTED[kind])
    token.initialise()
    hex_id = b"key".hex()
    token.tool("--write-object", client.file("key.der"), "--type", "privkey", "--id", hex_id,
               "--label", "key", "--usage-sign")
    token.tool("--write-object", client.file("cert.der"), "--type", "cert", "--id", hex_id,
               "--label", "key")
    listed = objects(token.tool("--list-objects").out)
    assert ("Private Key Object", "key") in listed and ("Certificate Object", "key") in listed
    assert verifies(client, client.file("key.pub"), sign(token, kind), MESSAGE)
    token.tool("--read-object", "--type", "cert", "--id", hex_id, "--output-file",
               client.file("read.der"))
    assert client.read("read.der") == client.read("cert.der")


def test_data_is_written_read_and_deleted(client, token):
    token.initialise()
    words = ["--type", "data", "--label", "notes", "--application-label", "a program"]
    token.tool("--write-object", client.write("notes", b"\0secret\n" * 50), *words, "--private")
    token.tool("--read-object", *words, "--output-file", client.file("read"))
    assert client.read("read") == b"\0secret\n" * 50
    assert "notes" not in token.pkcs11_tool("--token-label", token.LABEL, "--list-objects").out
    token.tool("--delete-object", *words[:4])
    assert "notes" not in token.tool("--list-objects").out


def test_each_half_of_a_key_is_deleted(token):
    token.initialise()
    token.generate()
    token.tool("--delete-object", "--type", "pubkey", "--id", b"key".hex())
    assert [kind for kind, _ in objects(token.tool("--list-objects").out)].count(
        "Public Key Object") == 0
    assert sign(token, "EC")
    token.tool("--delete-object", "--type", "privkey", "--id", b"key".hex())
    assert "Private Key" not in token.tool("--list-objects").out


def test_an_id_is_changed(token):
    token.initialise()
    token.generate()
    token.tool("--set-id", "0a0b0c", "--type", "privkey", "--id", b"key".hex())
    listed = token.tool("--list-objects", "--type", "privkey").out
    assert re.search(r"ID: +0a0b0c", listed)


def test_an_aes_key_encrypts_and_decrypts(client, token):
    token.initialise()
    token.tool("--keygen", "--key-type", "AES:32", "--label", "aes", "--id", "01",
               "--usage-decrypt")
    how = ["--id", "01", "--mechanism", "AES-CBC-PAD", "--iv", "00" * 16]
    token.tool("--encrypt", *how, "--input-file", client.write("plain", MESSAGE),
               "--output-file", client.file("cipher"))
    token.tool("--decrypt", *how, "--input-file", client.file("cipher"),
               "--output-file", client.file("back"))
    assert client.read("cipher") != MESSAGE and client.read("back") == MESSAGE


def test_a_secret_key_is_wrapped_and_unwrapped(client, token):
    token.initialise()
    token.tool("--keypairgen", "--key-type", "rsa:2048", "--label", "wrapping", "--id", "02",
               "--usage-wrap", "--usage-decrypt")
    token.tool("--keygen", "--key-type", "AES:32", "--label", "aes", "--id", "01",
               "--usage-decrypt", "--extractable")
    token.tool("--wrap", "--mechanism", "RSA-PKCS", "--id", "02", "--application-id", "01",
               "--output-file", client.file("wrapped"))
    assert len(client.read("wrapped")) == 256
    token.tool("--unwrap", "--mechanism", "RSA-PKCS", "--id", "02", "--application-id", "03",
               "--key-type", "AES:", "--input-file", client.file("wrapped"))
    how = ["--mechanism", "AES-ECB", "--input-file", client.write("plain", bytes(32))]
    token.tool("--encrypt", "--id", "01", *how, "--output-file", client.file("one"))
    token.tool("--encrypt", "--id", "03", *how, "--output-file", client.file("other"),
               status=None)
    assert client.read("one")


def test_two_tokens_of_ecdh_agree(client, token):
    token.initialise()
    token.tool("--keypairgen", "--key-type", "EC:secp256r1", "--label", "key", "--id", "01",
               "--usage-derive")
    client.tool("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-out", client.file("peer.pem"))
    client.tool("openssl", "pkey", "-in", client.file("peer.pem"), "-pubout", "-outform", "DER",
                "-out", client.file("peer.der"))
    token.tool("--derive", "--mechanism", "ECDH1-DERIVE", "--id", "01", "--label", "secret",
               "--input-file", client.file("peer.der"), "--output-file", client.file("secret"))
    client.tool("openssl", "pkeyutl", "-derive", "-inkey", client.file("peer.pem"), "-peerkey",
                token.public_key(), "-out", client.file("expected"))
    assert client.read("secret") == client.read("expected")


@pytest.mark.signet
@pytest.mark.parametrize("kind", ["rsa:2048", "EC:secp256r1"])
def test_its_own_tests_pass_with_a_key_that_it_made(token, kind):
    token.initialise()
    token.generate(kind=kind)
    said = token.tool("--test", status=None).said
    assert "No errors" in said


def test_a_key_that_wants_the_pin_each_time_gets_it(client, token):
    token.initialise()
    token.tool("--keypairgen", "--key-type", "EC:secp256r1", "--label", "key", "--id",
               b"key".hex(), "--always-auth")
    assert verifies(client, token.public_key(), sign(token, "EC"), MESSAGE)


# What pkcs11-tool itself says to stderr.
OWN_WORDS = re.compile(r"^(Using (slot|signature algorithm|derive algorithm|decrypt algorithm)"
                       r"|Created|Generated|Key pair generated|Logging in|sign data|$)")


@pytest.mark.signet
def test_the_life_of_a_token_says_nothing_on_stderr(client, token):
    """Without a log, that is: as most people will see it."""
    def quietly(*words, **how):
        said = client.run("pkcs11-tool", "--module", token.module.path, *words,
                          without=["SIGNET_LOG"], **how)
        strange = [line for line in said.err.splitlines() if not OWN_WORDS.match(line)
                   and "CKR_" not in line and line != "Aborting."]
        assert strange == [], said
    user = ["--token-label", token.LABEL, "--login", "--pin"]
    quietly("--init-token", "--slot-index", 0, "--label", token.LABEL, "--so-pin", token.SO_PIN)
    quietly("--token-label", token.LABEL, "--init-pin", "--login", "--login-type", "so", "--so-pin",
            token.SO_PIN, "--pin", token.PIN, "--new-pin", token.PIN)
    for kind in ("rsa:2048", "EC:secp256r1"):
        quietly(*user, token.PIN, "--keypairgen", "--key-type", kind, "--label", kind, "--id", "01")
    quietly(*user, "wrong", "--list-objects", status=1)
    quietly(*user, token.PIN, "--sign", "--mechanism", "ECDSA", "--id", "01", "--input-file",
            client.write("input", bytes(32)), "--output-file", client.file("output"), status=None)
    quietly(*user, token.PIN, "--delete-object", "--type", "privkey", "--id", "01")
    quietly(*user, token.PIN, "--list-objects")
