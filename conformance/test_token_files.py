"""A token directory is files: OpenSSL reads them, a person adds, changes and removes them,
and what is damaged is left out, named in the log, and never overwritten."""

import hashlib
import os
import re
import shutil

import pytest

from harness.verify import verifies

pytestmark = pytest.mark.signet
MESSAGE = b"Signed with a file.\n"


@pytest.fixture
def story(token):
    token.initialise().generate()
    return token


def entry(token, kind):
    """The path of the one entry file of this kind."""
    found = [name for name in os.listdir(token.files) if name.startswith(f"{kind}-")]
    assert len(found) == 1, found
    return os.path.join(token.files, found[0])


def labels(token, *words):
    return set(re.findall(r"label: +'?(.*?)'?$", token.tool("--list-objects", *words).out,
                          re.MULTILINE))


def ids(listed):
    return re.findall(r"^  ID: +([0-9a-f]+)$", listed, re.MULTILINE)


def put(token, name, content):
    """A file by hand, in one step."""
    path = os.path.join(token.files, name)
    token.client.write("by-hand", content)
    shutil.copy(token.client.file("by-hand"), path)
    return path


def certificate(client, name="dropped"):
    conf = client.write("req.cnf", "[req]\ndistinguished_name = dn\n[dn]\n")
    client.tool("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-subj", f"/CN={name}", "-config", conf, "-keyout",
                client.file(f"{name}.key"), "-out", client.file(f"{name}.crt"), "-days", 30)
    return client.read(f"{name}.crt").decode()


def test_openssl_reads_entry_files_as_they_are(client, story, fixtures, spare_tpm):
    client.tool("openssl", "x509", "-in", f"{fixtures}/ca.crt", "-outform", "DER",
                "-out", client.file("ca.der"))
    story.tool("--write-object", client.file("ca.der"), "--type", "cert", "--label", "ca")
    shown = client.tool("openssl", "x509", "-in", entry(story, "certificate")).out
    with open(f"{fixtures}/ca.crt", encoding="ascii") as file:
        assert shown.strip() == file.read().strip()
    public = client.run("openssl", "pkey", "-provider", "tpm2", "-provider", "default", "-in",
                        entry(story, "key"), "-pubout",
                        env={"TPM2OPENSSL_TCTI": spare_tpm.tcti, "TSS2_LOG": "all+none"}).out
    with open(story.public_key(), encoding="ascii") as file:
        assert public.strip() == file.read().strip()


def test_an_entry_is_edited_by_hand(story):
    path = entry(story, "key")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace('label = "key"', 'label = "by hand"'))
    assert labels(story) == {"by hand"}


def test_a_certificate_that_is_dropped_in_is_served(client, story):
    put(story, "dropped.pem", certificate(client))
    listed = story.tool("--list-objects", "--type", "cert").out
    assert "CN=dropped" in listed
    assert re.search(r"ID: +[0-9a-f]{40}", listed)


def test_a_link_to_a_certificate_is_served_and_stays_a_link(client, story):
    certificate(client)
    link = os.path.join(story.files, "link.pem")
    os.symlink(client.file("dropped.crt"), link)
    assert "CN=dropped" in story.tool("--list-objects", "--type", "cert").out
    os.unlink(client.file("dropped.crt"))
    assert "CN=dropped" not in story.tool("--list-objects", "--type", "cert").out
    assert os.path.islink(link)


def test_a_dropped_key_and_its_certificate_have_one_id(client, story):
    put(story, "dropped.pem", certificate(client))
    put(story, "dropped-key.pem", client.read("dropped.key").decode())
    listed = story.tool("--list-objects").out
    derived = [found for found in ids(listed) if found != b"key".hex()]
    assert len(derived) >= 2 and len(set(derived)) == 1


def test_a_dropped_key_of_the_tpm_signs(client, story, spare_tpm):
    client.run("openssl", "genpkey", "-provider", "tpm2", "-provider", "default", "-algorithm",
               "EC", "-pkeyopt", "group:P-256", "-out", client.file("dropped.key"),
               env={"TPM2OPENSSL_TCTI": spare_tpm.tcti, "TSS2_LOG": "all+none"})
    client.run("openssl", "pkey", "-provider", "tpm2", "-provider", "default", "-in",
               client.file("dropped.key"), "-pubout", "-out", client.file("pub"),
               env={"TPM2OPENSSL_TCTI": spare_tpm.tcti, "TSS2_LOG": "all+none"})
    put(story, "dropped.pem", client.read("dropped.key").decode())
    listed = story.tool("--list-objects", "--type", "privkey").out
    hex_id = next(found for found in ids(listed) if found != b"key".hex())
    story.tool("--sign", "--mechanism", "ECDSA", "--signature-format", "openssl", "--id", hex_id,
               "--input-file", client.write("input", hashlib.sha256(MESSAGE).digest()),
               "--output-file", client.file("output"))
    assert verifies(client, client.file("pub"), client.read("output"), MESSAGE)


def test_an_entry_that_is_removed_by_hand_is_gone(story):
    os.unlink(entry(story, "key"))
    assert labels(story) == set()


def bad_entries(text):
    """name -> content, none of which is an entry that this version knows."""
    return {
        "truncated": text[:len(text) // 2],
        "header-only": "Signet entry 1\n",
        "future": text.replace("Signet entry 1", "Signet entry 2"),
        "garbage": "\0\1\2\3" * 1000,
        "unknown-group": text.replace("[private key]", "[flying carpet]"),
        "no-value": text.replace("always sensitive = true", "always sensitive"),
        "wrong-value": text.replace("always sensitive = true", "always sensitive = perhaps"),
        "broken-pem": re.sub(r"\n[A-Za-z0-9+/=]{60,}\n", "\n!!!\n", text, count=1),
        "open-pem": text.split("-----END")[0],
        "long-line": "Signet entry 1\nlabel = " + "x" * 100000 + "\n",
        "empty-lines": "\n" * 100000,
    }


@pytest.mark.parametrize("name", bad_entries(""))
def test_a_damaged_entry_is_left_out_named_and_kept(client, story, name):
    with open(entry(story, "key"), encoding="utf-8") as file:
        content = bad_entries(file.read())[name].encode()
    path = put(story, f"{name}.pem", content)
    story.generate("second")
    assert labels(story) == {"key", "second"}
    said = "\n".join(client.log_lines())
    assert f"{name}.pem" in said, said
    assert not re.search(r"\b1234\b", said.replace("signet[1234]", ""))
    with open(path, "rb") as file:
        assert file.read() == content


def test_a_file_that_is_too_large_is_left_out_and_named(client, story):
    put(story, "large.pem", b"-----BEGIN CERTIFICATE-----\n" + b"A" * (5 << 20))
    assert labels(story) == {"key"}
    assert "large.pem" in "\n".join(client.log_lines())


@pytest.mark.parametrize("what", ["directory", "fifo", "loop", "dangling", "device"])
def test_what_is_no_file_does_no_harm(story, what):
    path = os.path.join(story.files, f"{what}.pem")
    if what == "directory":
        os.mkdir(path)
    elif what == "fifo":
        os.mkfifo(path)
    else:
        os.symlink({"loop": path, "dangling": "/nonexistent", "device": "/dev/zero"}[what], path)
    assert labels(story) == {"key"}
    story.generate("second")
    assert labels(story) == {"key", "second"}


def test_an_entry_of_another_token_is_not_served(client, story):
    """Its key is bound to that token's secret; a copy here would never work."""
    path = entry(story, "key")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    put(story, "copy.pem", re.sub(r"^token = \w+$", "token = " + "ab" * 16, text, count=1,
                                  flags=re.MULTILINE))
    story.generate("second")
    assert labels(story) == {"key", "second"}
    assert "copy.pem" in "\n".join(client.log_lines())


@pytest.mark.parametrize("how", ["damaged", "truncated", "empty", "future"])
def test_a_damaged_token_file_is_no_new_token(client, story, how):
    """Initialising over it would lose the keys."""
    path = os.path.join(story.files, "token")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    content = {"damaged": text.replace("salt = hex:", "salt = hex:zz"), "empty": "",
               "truncated": text[:len(text) // 2],
               "future": text.replace("Signet entry 1", "Signet entry 9")}[how]
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)
    story.pkcs11_tool("--init-token", "--slot-index", 0, "--label", "new", "--so-pin", "00000000",
                      status=1)
    with open(path, encoding="utf-8") as file:
        assert file.read() == content
    assert re.search(r"token\b", "\n".join(client.log_lines()))
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    assert labels(story) == {"key"}


def test_a_damaged_index_is_made_anew(story):
    path = os.path.join(story.files, ".index")
    for content in (b"", b"garbage" * 1000, os.urandom(4000)):
        with open(path, "wb") as file:
            file.write(content)
        assert labels(story) == {"key"}
    os.unlink(path)
    assert labels(story) == {"key"}


def test_a_directory_may_be_moved_and_copied(client, story):
    """A copy is the same token as long as it is on the same TPM."""
    moved = client.file("moved")
    shutil.copytree(story.files, moved)
    conf = client.serving["SIGNET_CONF"]
    with open(conf, encoding="utf-8") as file:
        text = file.read()
    with open(conf, "w", encoding="utf-8") as file:
        file.write(text.replace(story.files, moved))
    story.tool("--sign", "--mechanism", "ECDSA", "--id", b"key".hex(), "--input-file",
               client.write("hash", bytes(32)), "--output-file", client.file("signature"))
