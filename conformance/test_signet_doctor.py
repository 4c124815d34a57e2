"""`signet doctor` says what the module makes of a configuration, and finds what is wrong."""

import os
import re

import pytest

from harness.directory import Directory
from test_config import DOUBTFUL_LINES, SECTION, WRONG_FILES, WRONG_HEADERS, WRONG_LINES
from test_config import trouble

pytestmark = pytest.mark.signet


@pytest.fixture
def doctor(client, build):
    """doctor(words...): what `signet doctor` answers in the environment of the clients."""
    def run(*words, status=0, before=(), env=()):
        env = {**client.serving, **dict(env)}
        return client.tool(*before, os.path.join(build, "signet"), "doctor", *words,
                           status=status, env=env)
    return run


@pytest.fixture
def configuration(client):
    """configuration(text): the path of a new configuration."""
    return lambda text: client.write("new.conf", text)


def problems(said):
    return said.out.splitlines()


@pytest.mark.keys("ec", "rsa-pin", "soft-rsa", "soft-ec-pin", "ec-handle", "p12-ec")
def test_a_good_configuration_has_no_problems(client, doctor, key):
    client.serve(key.name)
    told = doctor().out
    assert told.startswith(f"configuration: {client.file('signet.conf')} (by $SIGNET_CONF)\n")
    assert f"[{key.name}] slot 0\n" in told
    assert told.endswith("1 of 1 tokens served\nno problems\n")
    assert ("tpm = " in told) == key.in_tpm
    assert ("asked for by the application" in told) == bool(key.pin)
    assert doctor("--quiet").said == ""


def test_each_token_is_named_with_key_and_certificate(client, doctor):
    client.serve("rsa", "soft-ec")
    told = doctor().out
    assert re.search(r'\[rsa\] slot 0\n  token +"rsa", serial number [0-9a-f]{16}, ', told)
    assert re.search(r"  key +RSA, 2048 bits, in ", told)
    assert re.search(r"  certificate +rsa, valid until \d{4}-\d\d-\d\d\n", told)
    assert re.search(r"\[soft-ec\] slot 1\n(  .*\n)*  key +EC, 256 bits, in a file", told)


def test_no_configuration_is_no_problem(client, doctor):
    told = doctor().out
    assert "configuration: none" in told and "/etc/signet/signet.conf" in told
    assert told.endswith("no problems\n")


def test_a_configuration_may_be_named(doctor, fixtures):
    told = doctor("--conf", f"{fixtures}/odd/spaces.conf").out
    assert told.startswith(f"configuration: {fixtures}/odd/spaces.conf\n")
    assert "[first] slot 0" in told


@pytest.mark.parametrize("name", [*WRONG_FILES, *WRONG_LINES, *WRONG_HEADERS, *DOUBTFUL_LINES])
def test_what_is_wrong_is_said_once_with_file_and_line(client, module, doctor, fixtures, name):
    path = f"{fixtures}/bad/{name}.conf"
    wrong = {**WRONG_FILES, **WRONG_LINES, **WRONG_HEADERS, **DOUBTFUL_LINES}
    told = problems(doctor("--quiet", "--conf", path, status=1))
    assert len(told) == 1, told
    assert re.match(rf"{re.escape(path)}:({wrong[name]}|{SECTION}): ", told[0])
    # The module's own log says the same.
    client.serving = {"SIGNET_CONF": path}
    client.run("pkcs11-tool", "--module", module.path, "--list-slots", status=None, limit=20)
    reason = told[0].split(": ", 1)[1]
    reason = reason.replace("[wrong]: ", "", 1)
    assert reason in trouble(client)[0]


def test_a_section_that_is_left_out_takes_no_other_with_it(doctor, fixtures):
    told = doctor("--conf", f"{fixtures}/bad/key-missing.conf", status=1).out
    assert "[first] slot 0\n" in told and "[last] slot 2\n" in told
    assert "[wrong] left out\n" in told
    assert "2 of 3 tokens served\n" in told
    assert told.endswith("1 problem\n")


@pytest.mark.parametrize("name", ["ten-megabytes", "directory", "missing"])
def test_a_configuration_that_cannot_be_taken_is_a_problem(doctor, fixtures, name):
    told = problems(doctor("--quiet", "--conf", f"{fixtures}/bad/{name}.conf", status=1))
    assert len(told) == 1 and f"{name}.conf" in told[0]


def test_a_configuration_of_garbage_is_read_to_its_end(doctor, fixtures):
    doctor("--conf", f"{fixtures}/bad/garbage.conf", status=1)


def test_a_key_in_clear_is_to_be_private(client, doctor, configuration, fixtures):
    with open(f"{fixtures}/soft-ec.key", encoding="ascii") as key:
        path = client.write("open.key", key.read())
    os.chmod(path, 0o644)
    conf = configuration(f"[open]\nprivate key = {path}\n")
    said = problems(doctor("--quiet", "--conf", conf, status=1))
    assert said == [f"{conf}:2: [open]: {path}: is a private key in clear that everybody may "
                    f"read: chmod go= {path}"]
    os.chmod(path, 0o600)
    doctor("--quiet", "--conf", conf)


def test_a_key_of_a_tpm_may_be_read_by_all(client, doctor, configuration, module, fixtures):
    with open(f"{fixtures}/ec.key", encoding="ascii") as key:
        path = client.write("tpm.key", key.read())
    os.chmod(path, 0o644)
    doctor("--quiet", "--conf", configuration(
        f"[tpm]\ntpm = {module.tpm.word}\nprivate key = {path}\n"))


@pytest.mark.parametrize("first, last, said", [
    ("20200101000000Z", "20200201000000Z", "has expired on 2020-02-01"),
    ("20990101000000Z", "20990201000000Z", "is not valid before 2099-01-01"),
])
def test_the_dates_of_a_certificate_are_looked_at(
        client, doctor, configuration, fixtures, first, last, said):
    client.make("ca")
    client.write("ca/index", "")
    client.write("ca.cnf", f"[ca]\ndefault_ca = one\n[one]\ndatabase = {client.file('ca/index')}\n"
                 f"new_certs_dir = {client.file('ca')}\ndefault_md = sha256\npolicy = any\n"
                 f"rand_serial = yes\n[any]\ncommonName = supplied\n[req]\n"
                 f"distinguished_name = name\n[name]\n")
    key = f"{fixtures}/soft-ec.key"
    client.tool("openssl", "req", "-new", "-config", client.file("ca.cnf"), "-key", key,
                "-subj", "/CN=dated", "-out", client.file("dated.csr"))
    client.tool("openssl", "ca", "-batch", "-selfsign", "-config", client.file("ca.cnf"),
                "-keyfile", key, "-in", client.file("dated.csr"), "-out", client.file("dated.crt"),
                "-startdate", first, "-enddate", last, "-notext")
    conf = configuration(f"[dated]\ncertificate = {client.file('dated.crt')}\n"
                         f"private key = {key}\n")
    told = problems(doctor("--quiet", "--conf", conf, status=1))
    assert told == [f"{conf}:2: [dated]: the certificate of dated {said}"]


SOURCES = {
    "file:/nowhere/pin": "/nowhere/pin: No such file",
    "file:{work}/open": "everybody may read it",
    "keyring:signet-no-such-key": "signet-no-such-key",
    "pinentry:/nowhere/pinentry": "there is no program /nowhere/pinentry",
    "credential:web": "credentials/web: No such file",
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.keys("soft-ec-pin")
def test_a_pin_that_cannot_be_had_is_a_problem(client, doctor, source, key):
    client.serve(key.name)
    os.chmod(client.write("open", key.pin), 0o644)
    conf = client.read("signet.conf").decode()
    path = client.write("signet.conf",
                        f"{conf}pin source = {source.format(work=client.directory)}\n")
    told = problems(doctor("--quiet", status=1, env={
        "CREDENTIALS_DIRECTORY": client.file("credentials")}))
    assert len(told) == 1
    assert told[0].startswith(f"{path}:{conf.count(chr(10)) + 1}: [{key.name}]: no PIN: ")
    assert SOURCES[source] in told[0]


@pytest.mark.keys("rsa-pin", "soft-ec-pin")
def test_a_pin_in_a_file_is_not_said(client, doctor, key):
    client.serve(key.name)
    os.chmod(client.write("pin-file", "87654321"), 0o600)
    client.write("signet.conf", client.read("signet.conf").decode() + "pin source = file:pin-file\n")
    told = doctor().out
    assert f"in the file {client.file('pin-file')}" in told
    assert "87654321" not in told


def test_without_being_asked_to_it_lets_the_tpm_alone(client, doctor, configuration, fixtures):
    place = client.file("new-tpm")
    conf = configuration(f"[a]\ntpm = embedded:{place}\nprivate key = {fixtures}/ec.key\n")
    doctor("--conf", conf)
    assert not os.path.exists(place)
    doctor("--conf", conf, "--tpm")
    assert os.path.exists(place)


def test_the_tpm_tells_how_it_is_once(client, doctor):
    client.serve("ec", "rsa-pin", "soft-ec")
    told = doctor("--tpm").out
    assert len(re.findall("^TPM ", told, re.MULTILINE)) == 1
    assert re.search(r"  wrong tries +\d+ of \d+", told)


def test_a_tpm_that_does_not_answer_is_a_problem(doctor, configuration, fixtures):
    conf = configuration(f"[a]\ntpm = device:/dev/tpm-nowhere\nprivate key = {fixtures}/ec.key\n")
    doctor("--quiet", "--conf", conf)
    told = problems(doctor("--quiet", "--tpm", "--conf", conf, status=1))
    assert told == [f"{conf}: [a]: /dev/tpm-nowhere: No such file or directory"]


def test_names_from_files_do_not_steer_the_terminal(doctor, configuration):
    told = doctor("--conf", configuration("[\x1b[31mred]\nprivate key = \x1b]0;x\x07\n"),
                  status=1).out
    assert "\x1b" not in told and "\x07" not in told


@pytest.mark.parametrize("words", [["--conf"], ["--conf="], ["--what"], ["more"]])
def test_wrong_arguments_are_told(doctor, words):
    said = doctor(*words, status=2)
    assert said.out == "" and "usage: signet doctor" in said.err


@pytest.fixture
def directory(client, module, build):
    return Directory(client, module, build)


def test_a_token_directory_is_described_from_nothing_to_its_first_key(doctor, directory):
    told = doctor().out
    assert f"{directory.path}, which is made when the token is initialised" in told
    assert "not initialised" in told
    assert not os.path.exists(directory.tpm)
    directory.initialise()
    told = doctor().out
    assert '  token         "work", serial number ' in told
    assert re.search(r"  PIN +not set yet", told)
    assert re.search(r"  SO PIN +asked for by the application", told)
    directory.set_pin()
    directory.generate()
    told = doctor().out
    assert "files: 1, objects in them: 2" in told
    gates = re.findall(r"guarded by a try counter of its own \(NV index 0x[0-9a-f]{8}, (\d+) "
                       r"tries\), the TPM's dictionary-attack logic, and a counter of changes", told)
    assert gates == ["3", "10"]
    assert told.endswith("no problems\n")
    assert doctor("--tpm").out.endswith("no problems\n")


def test_files_that_are_left_out_are_named_with_the_reason(client, doctor, directory):
    directory.initialise()
    client.write("work-token/damaged.pem", "no PEM of any kind\n")
    client.write("work-token/newer.pem", "Signet entry 9\n\n[private key]\n")
    told = problems(doctor("--quiet", status=1))
    assert len(told) == 2
    assert told[0].startswith(f"{directory.path}/damaged.pem: [work]: ")
    assert told[1].startswith(f"{directory.path}/newer.pem:1: [work]: ")
    assert "newer version" in told[1]
    os.remove(f"{directory.path}/newer.pem")
    assert len(problems(doctor("--quiet", status=1))) == 1


def test_a_damaged_token_file_is_a_problem_of_its_line(client, doctor, directory):
    directory.initialise()
    text = client.read("work-token/token").decode()
    line = text.splitlines().index("[token]") + 1
    client.write("work-token/token", re.sub("^tpm = .*$", "tpm = what", text, flags=re.MULTILINE))
    told = problems(doctor("--quiet", status=1))
    assert len(told) == 1
    assert told[0].startswith(f"{directory.path}/token:{line}: [work]: 'tpm' of [token]")


@pytest.mark.wrong_pin
def test_used_tries_and_a_locked_pin_are_told(doctor, directory):
    directory.initialise()
    directory.set_pin()
    for used in (1, 2):
        directory.tool("--login", "--pin", "wrong", "--list-objects", status=1)
        told = doctor().out
        assert f"{used} of 3 tries are used" in told
    directory.tool("--login", "--pin", "wrong", "--list-objects", status=1)
    told = problems(doctor("--quiet", status=1))
    assert told == [f"{directory.conf}:3: [work]: the PIN is locked: the SO can set a new one "
                    "(pkcs11-tool --login --login-type so --init-pin)"]
    directory.set_pin()
    assert "tries are used" not in doctor().out


def test_what_one_gate_alone_costs_is_told(client, doctor, directory):
    root = client.file("root.ctx")
    directory.tpm2("tpm2_createprimary", "-C", "o", "-G", "ecc", "-c", root, "-a",
                   "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt")
    directory.tpm2("tpm2_evictcontrol", "-C", "o", "-c", root, "0x81000001")
    directory.tpm2("tpm2_changeauth", "-c", "owner", "secret")
    directory.initialise()
    told = doctor().out
    assert "guarded by the TPM's dictionary-attack logic alone" in told
    assert "opens with the old PIN" in told
    assert "NV index" not in told


def test_a_token_without_a_pin_says_what_that_means(client, module, build, doctor):
    directory = Directory(client, module, build, "pin = none\n")
    directory.initialise()
    told = doctor().out
    assert "whoever may read the files and use the TPM may use the keys" in told


def test_an_index_that_somebody_deleted_is_missed_when_the_tpm_is_asked(doctor, directory):
    directory.initialise()
    directory.set_pin()
    user = re.search(r"own \(NV index (0x[0-9a-f]{8}), 3 tries", doctor().out).group(1)
    assert int(user, 16) in directory.indexes()
    directory.tpm2("tpm2_nvundefine", "-C", "o", user)
    doctor("--quiet")
    told = problems(doctor("--quiet", "--tpm", status=1))
    assert len(told) == 1
    assert f"NV index {user}, which the PIN needs, is gone from the TPM" in told[0]


def test_a_tpm_that_was_cleared_or_exchanged_is_told(doctor, directory):
    directory.initialise()
    directory.tpm2("tpm2_clear", "-c", "p")
    told = problems(doctor("--quiet", "--tpm", status=1))
    assert len(told) == 1
    assert "not the TPM that the token was made on, or it was cleared" in told[0]


def test_a_token_of_another_kind_of_tpm_is_told(client, doctor, directory):
    directory.initialise()
    conf = client.read("directory.conf").decode()
    client.write("directory.conf", re.sub("^tpm = .*", "tpm = swtpm:port=1", conf))
    told = problems(doctor("--quiet", status=1))
    assert len(told) == 1
    assert "was made on the embedded TPM and is looked for on an swtpm" in told[0]


def test_a_directory_that_may_not_be_read_is_a_problem(doctor, directory):
    directory.initialise()
    # Root reads everything, unless it gives that up.
    without = "-dac_override,-dac_read_search"
    before = ["setpriv", f"--bounding-set={without}", f"--inh-caps={without}"]
    os.chmod(directory.path, 0)
    told = problems(doctor("--quiet", before=before if os.geteuid() == 0 else [], status=1))
    os.chmod(directory.path, 0o700)
    assert len(told) == 1, told
    assert told[0].startswith(f"{directory.conf}:3: [work]: {directory.path}: ")
    assert "permission" in told[0]
