"""OpenSC's pkcs11-tool: lists, signs, decrypts, derives; OpenSSL checks the results."""

import hashlib
import re

import pytest

from harness.verify import PSS, encrypt, verifies, verifies_digest

MESSAGE = b"To be signed, or not to be signed.\n"
# The DER of a DigestInfo up to the digest of SHA-256.
SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


@pytest.fixture
def token(client, module):
    """token(key, words...) runs pkcs11-tool on the key's token, logged in if it has a PIN."""
    def run(key, *words, login=True, **how):
        client.serve(key.name)
        pin = module.pin(key)
        who = ["--login", "--pin", pin] if pin and login else []
        return client.run("pkcs11-tool", "--module", module.path, "--token-label", key.name,
                          *who, *words, **how)
    return run


@pytest.fixture
def sign(client, token):
    """sign(key, mechanism, data, words...): the signature."""
    def run(key, mechanism, data, *words):
        token(key, "--sign", "--id", key.hex_id, "--mechanism", mechanism, *words,
              "--input-file", client.write("input", data),
              "--output-file", client.file("output"))
        return client.read("output")
    return run


def mechanisms(token, key):
    listed = token(key, "--list-mechanisms", login=False).out
    return set(re.findall(r"^  ([A-Za-z0-9-]+)", listed, re.MULTILINE))


def test_the_token_names_itself(client, module, key):
    client.serve(key.name)
    slots = client.run("pkcs11-tool", "--module", module.path, "--list-slots").out
    assert re.search(rf"token label +: {key.name}\n", slots)
    assert "uninitialized" not in slots.split(f": {key.name}\n")[1].split("Slot ")[0]


@pytest.mark.signet
def test_there_are_no_other_slots_than_the_configured(client, module):
    client.serve("ec", "rsa-pin")
    slots = client.run("pkcs11-tool", "--module", module.path, "--list-slots").out
    assert re.findall(r"token label +: (.*)", slots) == ["ec", "rsa-pin"]
    assert len(re.findall("^Slot ", slots, re.MULTILINE)) == 2
    client.serve("ec", "rsa-pin")
    assert len(set(re.findall(r"serial num +: (.*)", slots))) == 2


@pytest.mark.every_key
def test_every_kind_of_key_is_listed_with_its_certificate(token, key):
    objects = token(key, "--list-objects").out
    for kind in ("Private Key Object", "Public Key Object", "Certificate Object"):
        assert re.search(rf"^{kind}.*(\n  .*)*label: +{key.name}$", objects, re.MULTILINE), objects
    assert set(re.findall(r"^  ID: +(\w+)$", objects, re.MULTILINE)) >= {key.hex_id}


@pytest.mark.every_key
def test_every_kind_of_key_signs(client, sign, key, fixtures):
    public = f"{fixtures}/{key.name}.pub"
    digest = hashlib.sha256(MESSAGE).digest()
    if key.is_rsa:
        signature = sign(key, "RSA-PKCS", SHA256_INFO + digest)
        assert len(signature) == key.size
    else:
        assert len(sign(key, "ECDSA", digest)) == key.size
        signature = sign(key, "ECDSA", digest, "--signature-format", "openssl")
    assert verifies(client, public, signature, MESSAGE)


@pytest.mark.signet
def test_public_objects_are_listed_without_login(token, key):
    objects = token(key, "--list-objects", login=False).out
    assert "Certificate Object" in objects
    assert "Public Key Object" in objects


@pytest.mark.signet
@pytest.mark.keys("ec-chain")
def test_every_certificate_of_the_chain_is_there(client, token, key, fixtures):
    objects = token(key, "--list-objects", "--type", "cert").out
    assert len(re.findall("^Certificate Object", objects, re.MULTILINE)) == 3
    token(key, "--read-object", "--type", "cert", "--id", key.hex_id,
          "--output-file", client.file("der"))
    client.tool("openssl", "x509", "-inform", "DER", "-in", client.file("der"),
                "-out", client.file("pem"))
    assert client.read("pem") == open(f"{fixtures}/{key.name}.crt", "rb").read()


# Of EC keys pkcs11-tool 0.23 reads freed memory of its own here: p11tool reads them instead.
@pytest.mark.keys("rsa", "rsa-pin")
def test_the_public_key_reads_as_openssl_writes_it(client, token, key, fixtures):
    token(key, "--read-object", "--type", "pubkey", "--id", key.hex_id,
          "--output-file", client.file("der"))
    client.tool("openssl", "pkey", "-pubin", "-inform", "DER", "-in", client.file("der"),
                "-out", client.file("pem"))
    assert client.read("pem") == open(f"{fixtures}/{key.name}.pub", "rb").read()


RSA_DIGESTS = ["SHA1", "SHA256", "SHA384", "SHA512"]


@pytest.mark.keys("rsa", "rsa-pin")
@pytest.mark.parametrize("digest", RSA_DIGESTS)
def test_an_rsa_key_signs_and_hashes(client, token, sign, key, digest, fixtures):
    if f"{digest}-RSA-PKCS" not in mechanisms(token, key):
        pytest.skip(f"the token has no {digest}-RSA-PKCS")
    signature = sign(key, f"{digest}-RSA-PKCS", MESSAGE)
    assert verifies(client, f"{fixtures}/{key.name}.pub", signature, MESSAGE, digest.lower())


@pytest.mark.keys("rsa", "rsa-pin")
@pytest.mark.parametrize("digest", RSA_DIGESTS[1:])
def test_an_rsa_key_signs_with_pss(client, token, sign, key, digest, fixtures):
    if f"{digest}-RSA-PKCS-PSS" not in mechanisms(token, key):
        pytest.skip(f"the token has no {digest}-RSA-PKCS-PSS")
    signature = sign(key, f"{digest}-RSA-PKCS-PSS", MESSAGE)
    assert verifies(client, f"{fixtures}/{key.name}.pub", signature, MESSAGE, digest.lower(), PSS)


@pytest.mark.keys("rsa")
@pytest.mark.parametrize("salt", [0, 20, 32])
def test_a_pss_signature_of_a_digest_has_the_salt_that_was_asked_for(
        client, sign, key, salt, fixtures):
    signature = sign(key, "RSA-PKCS-PSS", hashlib.sha256(MESSAGE).digest(),
                     "--hash-algorithm", "SHA256", "--mgf", "MGF1-SHA256", "--salt-len", salt)
    options = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", f"rsa_pss_saltlen:{salt}"]
    assert verifies(client, f"{fixtures}/{key.name}.pub", signature, MESSAGE, options=options)


@pytest.mark.keys("rsa")
def test_an_rsa_key_signs_raw(client, sign, key, fixtures):
    block = bytes(1) + b"\x01" + b"\xff" * 202 + bytes(1) + SHA256_INFO
    block += hashlib.sha256(MESSAGE).digest()
    signature = sign(key, "RSA-X-509", block)
    assert verifies(client, f"{fixtures}/{key.name}.pub", signature, MESSAGE)


@pytest.mark.keys("ec", "ec-pin", "ec384")
@pytest.mark.parametrize("digest", RSA_DIGESTS)
def test_an_ec_key_signs_and_hashes(client, token, sign, key, digest, fixtures):
    name = f"ECDSA-{digest}"
    if name not in mechanisms(token, key):
        pytest.skip(f"the token has no {name}")
    signature = sign(key, name, MESSAGE, "--signature-format", "openssl")
    assert verifies(client, f"{fixtures}/{key.name}.pub", signature, MESSAGE, digest.lower())


@pytest.mark.keys("ec")
@pytest.mark.parametrize("size", [20, 32, 48, 64])
def test_a_digest_longer_than_the_curve_is_cut_as_the_standard_says(
        client, sign, key, size, fixtures):
    digest = hashlib.sha512(MESSAGE).digest()[:size]
    signature = sign(key, "ECDSA", digest, "--signature-format", "openssl")
    assert verifies_digest(client, f"{fixtures}/{key.name}.pub", signature, digest)


@pytest.mark.keys("rsa", "rsa-pin")
def test_an_rsa_key_decrypts_pkcs1(client, token, key, fixtures):
    secret = encrypt(client, f"{fixtures}/{key.name}.pub", MESSAGE)
    token(key, "--decrypt", "--id", key.hex_id, "--mechanism", "RSA-PKCS",
          "--input-file", secret, "--output-file", client.file("output"))
    assert client.read("output") == MESSAGE


@pytest.mark.keys("rsa", "rsa-pin")
@pytest.mark.parametrize("digest", ["SHA-1", "SHA256"])
def test_an_rsa_key_decrypts_oaep(client, token, key, digest, fixtures):
    if is_softhsm(token, key) and digest != "SHA-1":
        pytest.skip("the token has OAEP with SHA-1 only")
    name = digest.replace("-", "").lower()
    secret = encrypt(client, f"{fixtures}/{key.name}.pub", MESSAGE,
                     "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", f"rsa_oaep_md:{name}",
                     "-pkeyopt", f"rsa_mgf1_md:{name}")
    token(key, "--decrypt", "--id", key.hex_id, "--mechanism", "RSA-PKCS-OAEP",
          "--hash-algorithm", digest, "--mgf", f"MGF1-{name.upper()}",
          "--input-file", secret, "--output-file", client.file("output"))
    assert client.read("output") == MESSAGE


def is_softhsm(token, key):
    return "SoftHSM" in token(key, "--show-info", login=False).out


@pytest.mark.keys("ec", "ec-pin", "ec384")
def test_an_ec_key_derives_the_secret_that_the_peer_derives(client, token, key, fixtures):
    peer, own = client.file("peer.key"), f"{fixtures}/{key.name}.pub"
    client.tool("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", f"group:{key.algorithm}",
                "-out", peer)
    client.tool("openssl", "pkey", "-in", peer, "-pubout", "-outform", "DER",
                "-out", client.file("peer.der"))
    token(key, "--derive", "--id", key.hex_id, "--mechanism", "ECDH1-DERIVE",
          "--input-file", client.file("peer.der"), "--output-file", client.file("output"))
    client.tool("openssl", "pkeyutl", "-derive", "-inkey", peer, "-peerkey", own,
                "-out", client.file("expected"))
    assert client.read("output") == client.read("expected")


@pytest.mark.wrong_pin
@pytest.mark.keys("ec-pin", "rsa-pin", "soft-ec-pin", "p12-rsa")
def test_a_wrong_pin_is_refused_and_the_right_one_works_after(client, module, token, sign, key):
    client.serve(key.name)
    said = client.run("pkcs11-tool", "--module", module.path, "--token-label", key.name,
                      "--login", "--pin", "wrong", "--list-objects", status=1).said
    assert "CKR_PIN_INCORRECT" in said
    if key.is_rsa:
        sign(key, "RSA-PKCS", MESSAGE)
    else:
        sign(key, "ECDSA", bytes(32))


@pytest.mark.keys("ec-pin")
def test_a_key_with_a_pin_does_not_sign_without_login(client, token, key):
    said = token(key, "--sign", "--id", key.hex_id, "--mechanism", "ECDSA", "--input-file",
                 client.write("input", bytes(32)), "--output-file", client.file("output"),
                 login=False, status=None)
    assert said.status != 0


@pytest.mark.keys("ec")
@pytest.mark.parametrize("digest", ["SHA-1", "SHA256", "SHA384", "SHA512"])
def test_the_token_hashes(client, token, key, digest):
    token(key, "--hash", "--mechanism", digest, "--input-file", client.write("input", MESSAGE),
          "--output-file", client.file("output"))
    assert client.read("output") == hashlib.new(digest.replace("-", ""), MESSAGE).digest()


@pytest.mark.keys("ec")
def test_random_numbers_differ(client, token, key):
    drawn = []
    for _ in range(2):
        token(key, "--generate-random", 64, "--output-file", client.file("output"))
        drawn.append(client.read("output"))
    assert len(drawn[0]) == 64
    assert drawn[0] != drawn[1]


def test_pkcs11_tools_own_tests_find_no_error(token, key):
    said = token(key, "--test").said
    assert "No errors" in said


def test_a_signature_is_verified_by_the_module_too(client, token, sign, key):
    mechanism = "SHA256-RSA-PKCS" if key.is_rsa else "ECDSA"
    data = MESSAGE if key.is_rsa else hashlib.sha256(MESSAGE).digest()
    client.write("good", sign(key, mechanism, data))
    said = token(key, "--verify", "--id", key.hex_id, "--mechanism", mechanism,
                 "--input-file", client.write("input", data),
                 "--signature-file", client.file("good"))
    assert "Signature is valid" in said.said
