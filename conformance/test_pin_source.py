"""`pin source`: real clients log in with a PIN that nobody gives them."""

import os
import re

import pytest

from harness.calls import Calls
from harness.directory import Directory
from test_authorisation import wrong_tries

pytestmark = [pytest.mark.signet, pytest.mark.keys("ec-pin", "rsa-pin", "soft-ec-pin")]

PINENTRY = """\
#!/bin/sh
echo "OK Pleased to meet you"
while read -r line; do
    echo "$line" >>{heard}
    case $line in
    SETDESC*) question=$line; echo OK ;;
    GETPIN) {answer} ;;
    BYE) echo OK; exit 0 ;;
    *) echo OK ;;
    esac
done
"""
CANCELLED = "echo 'ERR 83886179 Operation cancelled <Pinentry>'"


@pytest.fixture
def serve(client):
    """serve(key, source): the key's token, with that source of its PIN."""
    def run(key, source):
        client.serve(key.name)
        client.write("signet.conf", client.read("signet.conf").decode() +
                     f"pin source = {source}\n")
    return run


@pytest.fixture
def secret(client):
    """secret(name, content): a file that only its owner may read."""
    def run(name, content, mode=0o600):
        path = client.write(name, content)
        os.chmod(path, mode)
        return path
    return run


@pytest.fixture
def pinentry(client):
    """pinentry(answer): a program that answers GETPIN with these shell commands."""
    def run(answer):
        path = client.write("pinentry", PINENTRY.format(heard=client.file("heard"), answer=answer))
        os.chmod(path, 0o700)
        return path
    return run


@pytest.fixture
def signs(client, module, fixtures):
    """signs(key): pkcs11-tool signs with it, logged in without a PIN of its own."""
    def run(key, **how):
        mechanism = "SHA256-RSA-PKCS" if key.is_rsa else "ECDSA-SHA256"
        return client.run(
            "pkcs11-tool", "--module", module.path, "--token-label", key.name, "--login",
            "--sign", "--id", key.hex_id, "--mechanism", mechanism,
            "--input-file", client.write("input", b"message"),
            "--output-file", client.file("output"), **how)
    return run


def the_error(client):
    lines = [line for line in client.log_lines() if " error: " in line]
    assert len(lines) == 1, client.story()
    return lines[0]


def test_a_file_is_the_pin(serve, secret, signs, key):
    serve(key, "file:" + secret("pin-file", f"{key.pin}\n"))
    signs(key)


def test_a_file_beside_the_configuration_may_be_named_without_its_directory(
        serve, secret, signs, key):
    secret("pin-file", key.pin)
    serve(key, "file:pin-file")
    signs(key)


def test_a_credential_of_systemd_is_the_pin(client, serve, secret, signs, key):
    client.make("credentials")
    secret("credentials/web.pin", key.pin)
    serve(key, "credential:web.pin")
    client.serving["CREDENTIALS_DIRECTORY"] = client.file("credentials")
    signs(key)


def test_pinentry_asks_for_the_pin(client, serve, pinentry, signs, key):
    serve(key, "pinentry:" + pinentry(f"echo 'D {key.pin}'; echo OK"))
    signs(key)
    heard = client.read("heard").decode()
    assert heard.count("GETPIN") == 1
    assert f'asks for the PIN of the token%0A"{key.name}"' in heard


def test_p11tool_does_not_ask_for_the_pin_itself(client, module, serve, secret, key):
    serve(key, "file:" + secret("pin-file", key.pin))
    said = client.run("p11tool", "--provider", module.path, "--batch", "--login", "--test-sign",
                      f"pkcs11:token={key.name};object={key.name};type=private")
    assert "ok" in said.said


def test_the_token_says_that_it_asks_itself(client, module, serve, secret, key):
    serve(key, "file:" + secret("pin-file", key.pin))
    slots = client.run("pkcs11-tool", "--module", module.path, "--list-slots").out
    assert re.search("token flags.*PIN pad present", slots)
    serve(key, "application")
    slots = client.run("pkcs11-tool", "--module", module.path, "--list-slots").out
    assert "PIN pad present" not in slots


def test_a_pin_that_the_application_says_counts_all_the_same(client, module, serve, key):
    serve(key, "file:/nowhere")
    client.run("pkcs11-tool", "--module", module.path, "--token-label", key.name, "--login",
               "--pin", key.pin, "--list-objects")


def test_the_user_may_say_no(serve, pinentry, signs, key):
    serve(key, "pinentry:" + pinentry(CANCELLED))
    assert "CKR_FUNCTION_CANCELED" in signs(key, status=1).said


def test_a_pinentry_that_is_not_there_is_in_the_log(client, serve, signs, key):
    serve(key, "pinentry:/nowhere/pinentry")
    signs(key, status=1)
    assert "/nowhere/pinentry cannot be started: No such file" in the_error(client)


def test_a_file_that_everybody_may_read_is_refused(client, serve, secret, signs, key):
    serve(key, "file:" + secret("pin-file", key.pin, 0o644))
    signs(key, status=1)
    assert "everybody may read it (mode 644): chmod o=" in the_error(client)


def test_what_is_no_source_is_not_written_to_the_log(client, module, serve, key):
    serve(key, "8642")
    client.run("pkcs11-tool", "--module", module.path, "--list-slots", status=None)
    assert "8642" not in "\n".join(line.split("]", 1)[-1] for line in client.log_lines())
    assert "none of application, file:PATH" in the_error(client)


@pytest.mark.wrong_pin
@pytest.mark.keys("ec-pin")
def test_a_wrong_pin_in_a_file_is_one_wrong_try_however_often_it_is_used(
        client, module, the_tpm, serve, secret, key):
    """A server that tries again for ever would lock the TPM."""
    serve(key, "file:" + secret("pin-file", "wrong"))
    before = wrong_tries(the_tpm)
    calls = Calls(client, module)
    calls.say("slot", "session", "login", "login", "login")
    assert calls.results() == ["OK", "OK"] + 3 * ["PIN_INCORRECT"]
    if not key.forgives:
        assert wrong_tries(the_tpm) - before == 1
    assert any("it is not tried again" in line for line in client.log_lines())
    secret("pin-file", key.pin)
    calls.say("slot", "session", "login")
    assert calls.results() == ["OK", "OK", "OK"]


@pytest.mark.keys("soft-ec-pin")
def test_a_user_who_thinks_holds_nobody_else_up(client, module, serve, pinentry, key):
    wait = f"while ! [ -e {client.file('go')} ]; do sleep 0.02; done"
    serve(key, "pinentry:" + pinentry(f"{wait}; echo 'D {key.pin}'; echo OK"))
    calls = Calls(client, module)
    calls.say("slot", "session", "login&", f"wait {client.file('heard')}", "info", "session-info",
              f"touch {client.file('go')}", "join")
    assert calls.results() == ["OK", "OK", "OK", "OK", "OK"]


@pytest.mark.keys("soft-ec-pin")
def test_a_session_that_is_closed_meanwhile_is_not_logged_in(
        client, module, serve, pinentry, key):
    wait = f"while ! [ -e {client.file('go')} ]; do sleep 0.02; done"
    serve(key, "pinentry:" + pinentry(f"{wait}; echo 'D {key.pin}'; echo OK"))
    calls = Calls(client, module)
    calls.say("slot", "session", "login&", f"wait {client.file('heard')}", "close",
              f"touch {client.file('go')}", "join", "session", "session-info")
    assert calls.results() == ["OK", "OK", "OK", "SESSION_HANDLE_INVALID", "OK", "OK"]
    assert calls.state == 0  # CKS_RO_PUBLIC_SESSION


def of_directory(client, module, build, user="application", so="application"):
    return Directory(client, module, build, f"pin source = {user}\nso pin source = {so}\n")


def test_a_token_directory_gets_and_takes_its_pins_from_files(client, module, build, secret):
    directory = of_directory(client, module, build, "file:" + secret("user", "1234\n"),
                             "file:" + secret("so", "so-secret\n"))
    directory.tool("--init-token", "--label", "work")
    directory.tool("--login", "--login-type", "so", "--init-pin")
    directory.tool("--login", "--keypairgen", "--key-type", "EC:prime256v1", "--label", "key")
    # They are the PINs indeed.
    directory.tool("--login", "--pin", "1234", "--list-objects")
    directory.set_pin()


@pytest.mark.wrong_pin
def test_the_last_try_of_a_token_is_left_to_a_person(client, module, build, secret):
    directory = of_directory(client, module, build, "file:" + secret("user", "wrong"))
    directory.initialise()
    directory.set_pin()
    for _ in range(2):
        said = directory.tool("--login", "--list-objects", status=1).said
        assert "CKR_PIN_INCORRECT" in said
    for _ in range(2):
        directory.tool("--login", "--list-objects", status=1)
    assert any("one try is left before the PIN is locked" in line for line in client.log_lines())
    directory.tool("--login", "--pin", "1234", "--list-objects")
    secret("user", "1234")
    directory.tool("--login", "--list-objects")


@pytest.mark.wrong_pin
def test_a_wrong_pin_is_tried_again_when_the_token_has_another_one(
        client, module, build, secret):
    directory = of_directory(client, module, build, "file:" + secret("user", "5678"))
    directory.initialise()
    directory.set_pin()
    calls = Calls(client, module)
    calls.say("slot", "session", "login", "login",
              f"run pkcs11-tool --module {module.path} --login --login-type so "
              "--so-pin so-secret --init-pin --new-pin 5678", "login")
    assert calls.results() == ["OK", "OK", "PIN_INCORRECT", "PIN_INCORRECT", "OK"]


def test_pinentry_asks_for_new_pins_twice_and_names_the_present_one(
        client, module, build, pinentry):
    directory = of_directory(client, module, build, "pinentry:" + pinentry(
        "case $question in *new*) echo 'D 5678';; *) echo 'D 1234';; esac; echo OK"))
    directory.initialise()
    directory.set_pin()
    directory.tool("--login", "--change-pin")
    directory.tool("--login", "--pin", "5678", "--list-objects")
    heard = client.read("heard").decode()
    assert "asks for the present PIN of the token" in heard
    assert "asks for a new PIN of the token" in heard
