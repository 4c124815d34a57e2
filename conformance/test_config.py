"""Wrong files and wrong configurations: the slot concerned is left out, the others
work, the log has one line with file, line and reason, and nothing crashes."""

import os
import re

import pytest

pytestmark = pytest.mark.signet

SECTION = 4  # the line of [wrong], good enough for what is wrong in it
TROUBLE = re.compile(r"signet\[\d+\] \S+ (error|warning): (.*)")

# Configurations with sections [first], [wrong] from line 4, [last]; the line to blame.
WRONG_FILES = {
    "key-empty": 6, "key-truncated": 6, "key-garbage": 6, "key-certificate": 6, "key-directory": 6,
    "key-loop": 6, "key-dangling": 6, "key-missing": 6, "key-fifo": 6, "key-huge": 6,
    "key-device": 6, "key-tss2-truncated": 6, "key-tss2-short": 6, "key-tss2-empty": 6,
    "certificate-missing": 5, "certificate-truncated": 5, "certificate-key": 5,
    "certificate-garbage": 5, "certificate-of-another-key": 5,
}
WRONG_LINES = {
    "bad-line": 7, "no-keyword": 7, "open-quote": 7, "bad-id": 7, "nul-bytes": 7, "long-line": 7,
    "empty-value": 5, "no-key": 4,
}
# The section before it is not to blame, nor is [first], which comes first.
WRONG_HEADERS = {"open-section": 7, "nameless-section": 7, "duplicate-section": 7}
# Here the section may be served or left out, as long as somebody is told.
DOUBTFUL_LINES = {"unknown-keyword": 7, "not-utf-8": 7}


@pytest.fixture
def tokens(client, module, fixtures):
    """tokens(configuration): the labels of the tokens that it yields."""
    def listed(name, before=(), **how):
        client.serving = {"SIGNET_CONF": os.path.join(fixtures, name)}
        words = [*before, "pkcs11-tool", "--module", module.path, "--list-slots"]
        out = client.run(*words, limit=20, status=None, **how).out
        labels = re.findall(r"token label +: (.*)", out)
        assert len(labels) == len(re.findall("^Slot ", out, re.MULTILINE)), out
        return labels
    return listed


def trouble(client):
    found = [TROUBLE.search(line) for line in client.log_lines()]
    return [match.group(2) for match in found if match]


def the_one_line(client, name, line):
    """The log says exactly once what is wrong, where, and why."""
    told = trouble(client)
    assert len(told) == 1, client.story()
    where = re.compile(rf"{name}\.conf\W+(line )?({line}|{SECTION})\b")
    assert where.search(told[0]), f"{name}.conf, line {line} was expected in: {told[0]}"
    assert len(where.sub("", told[0])) > 15, f"no reason in: {told[0]}"
    return told[0]


@pytest.mark.parametrize("name", WRONG_FILES)
def test_a_wrong_file_takes_its_own_slot_out_and_no_other(client, tokens, name):
    assert tokens(f"bad/{name}.conf") == ["first", "last"]
    said = the_one_line(client, name, WRONG_FILES[name])
    assert re.search(r"\.key|\.crt|/dev/zero", said), f"no file in: {said}"


def test_an_unreadable_file_takes_its_own_slot_out_and_no_other(client, tokens):
    # Root reads everything, unless it gives that up.
    without = "-dac_override,-dac_read_search"
    before = ["setpriv", f"--bounding-set={without}", f"--inh-caps={without}"]
    assert tokens("bad/key-unreadable.conf", before if os.geteuid() == 0 else []) == \
        ["first", "last"]
    said = the_one_line(client, "key-unreadable", 6)
    assert "ermi" in said, f"the reason is a permission: {said}"


@pytest.mark.parametrize("name", WRONG_LINES)
def test_a_wrong_line_takes_its_own_slot_out_and_no_other(client, tokens, name):
    assert tokens(f"bad/{name}.conf") == ["first", "last"]
    the_one_line(client, name, WRONG_LINES[name])


@pytest.mark.parametrize("name", WRONG_HEADERS)
def test_a_wrong_header_takes_no_other_section_out(client, tokens, name):
    assert tokens(f"bad/{name}.conf") == ["first", "wrong", "last"]
    the_one_line(client, name, WRONG_HEADERS[name])


@pytest.mark.parametrize("name", DOUBTFUL_LINES)
def test_a_doubtful_line_is_named_and_harms_no_other_slot(client, tokens, name):
    assert tokens(f"bad/{name}.conf") in (["first", "last"], ["first", "wrong", "last"])
    the_one_line(client, name, DOUBTFUL_LINES[name])


def test_the_first_of_two_sections_with_one_name_is_the_one_that_counts(client, module, tokens):
    tokens("bad/duplicate-section.conf")
    listed = client.run("pkcs11-tool", "--module", module.path, "--token-label", "first",
                        "--list-objects", "--type", "cert").out
    assert "CN=soft-ec" in listed


@pytest.mark.parametrize("name", ["ten-megabytes", "directory", "missing"])
def test_a_configuration_that_cannot_be_taken_is_an_empty_list_of_slots(client, tokens, name):
    assert tokens(f"bad/{name}.conf") == []
    assert len(trouble(client)) == 1, client.story()
    assert f"{name}.conf" in trouble(client)[0]


def test_a_configuration_of_garbage_is_an_empty_list_of_slots(client, tokens):
    assert tokens("bad/garbage.conf") == []
    assert 1 <= len(trouble(client)) <= 100, client.story()


def test_an_empty_configuration_is_an_empty_list_of_slots_and_no_trouble(client, tokens):
    assert tokens("bad/empty.conf") == []
    assert trouble(client) == []


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null"])
def test_a_device_in_place_of_the_configuration_does_no_harm(tokens, name):
    assert tokens(name) == []


@pytest.mark.parametrize("name", ["mark", "crlf", "no-newline", "spaces", "no-certificate"])
def test_an_unusual_configuration_is_served(client, tokens, name):
    assert tokens(f"odd/{name}.conf") == ["first"]
    assert trouble(client) == []


def test_all_fixtures_in_one_configuration_are_served_in_its_order(client, tokens, fixtures):
    with open(f"{fixtures}/all.conf", encoding="utf-8") as file:
        sections = re.findall(r"^\[(.*)\]$", file.read(), re.MULTILINE)
    assert tokens("all.conf") == sections
    assert trouble(client) == []


def sign(client, module, label, **how):
    return client.run("pkcs11-tool", "--module", module.path, "--token-label", label, "--sign",
                      "--mechanism", "ECDSA", "--input-file", client.write("input", bytes(32)),
                      "--output-file", client.file("output"), **how)


def test_a_key_of_another_tpm_is_listed_and_does_not_sign(client, module, fixtures, tpm_kind):
    if tpm_kind == "device":
        pytest.skip("there is no second TPM to make the key on")
    client.serving = {"SIGNET_CONF": f"{fixtures}/bad/key-of-another-tpm.conf"}
    said = sign(client, module, "wrong", status=1).said
    assert "CKR_" in said
    # pkcs11-tool tries C_Sign, then C_SignFinal: a line for each, and the same.
    told = trouble(client)
    assert len(set(told)) == 1 and "belongs to another TPM" in told[0], client.story()
    sign(client, module, "first")


@pytest.mark.parametrize("variable", ["SIGNET_CONF", "OPENSSL_PKCS11_CONF"])
def test_the_environment_names_the_configuration(client, module, fixtures, variable):
    client.serving = {variable: f"{fixtures}/odd/spaces.conf"}
    sign(client, module, "first")


@pytest.mark.parametrize("path", [
    ".config/signet/signet.conf", ".config/openssl-pkcs11/openssl-pkcs11.conf"])
def test_the_home_holds_the_configuration(client, module, fixtures, path):
    client.write_home(path, f"[home]\nprivate key = {fixtures}/soft-ec.key\n")
    sign(client, module, "home")


def test_the_words_of_a_section_override_the_defaults(client, module, fixtures):
    conf = (f"manufacturer id = Example Org\nlibrary description = Client certificates\n"
            f"[plain]\ncertificate = {fixtures}/soft-ec.crt\nprivate key = {fixtures}/soft-ec.key\n"
            f"label = Jane Doe\nid = hex:0a0b0c\nserial number = 007\n"
            f"slot description = The drawer\nmodel = Wooden\n")
    client.serving = {"SIGNET_CONF": client.write("words.conf", conf)}
    tool = ["pkcs11-tool", "--module", module.path]
    info = client.run(*tool, "--show-info").out
    assert re.search(r"Library +Client certificates", info)
    assert re.search(r"Manufacturer +Example Org", info)
    slots = client.run(*tool, "--list-slots").out
    assert "The drawer" in slots
    assert re.search(r"token model +: Wooden", slots)
    assert re.search(r"serial num +: 007", slots)
    objects = client.run(*tool, "--list-objects").out
    assert set(re.findall(r"label: +(.*)", objects)) == {"Jane Doe"}
    assert set(re.findall(r"  ID: +(.*)", objects)) == {"0a0b0c"}


def test_the_log_of_the_configuration_is_used(client, module, fixtures):
    conf = (f"log = {client.file('own-log')}\nlog level = debug\n"
            f"[plain]\nprivate key = {fixtures}/nowhere.key\n")
    client.serving = {"SIGNET_CONF": client.write("log.conf", conf)}
    client.run("pkcs11-tool", "--module", module.path, "--list-slots", without=["SIGNET_LOG"],
               status=None)
    assert b"nowhere.key" in client.read("own-log")


@pytest.mark.wrong_pin
@pytest.mark.keys("ec-pin")
def test_no_pin_is_ever_in_the_log(client, module, key):
    client.serve(key.name, extra="log level = debug\n")
    for pin in ("1234", "98765432"):
        client.run("pkcs11-tool", "--module", module.path, "--token-label", key.name, "--login",
                   "--pin", pin, "--list-objects", status=None)
    assert client.log_lines()
    assert not re.search(r"\b1234\b|98765432", "\n".join(
        line.split("]", 1)[-1] for line in client.log_lines()))
