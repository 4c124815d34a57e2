"""The harness drives another module as well, so that a failure is not its own invention."""

import os
import re
import subprocess
import sys

import pytest

from harness import clients

pytestmark = pytest.mark.signet
HERE = os.path.dirname(os.path.abspath(__file__))
PLACES = ("softhsm/libsofthsm2.so", "pkcs11/libsofthsm2.so")
# What that module is known not to do is not ours to ask for.
CHOSEN = "not derives and not own_tests"


def test_the_same_tests_run_on_softhsm2(tpm_kind, place):
    if tpm_kind != "embedded":
        pytest.skip("it is the same for every TPM, and runs with the embedded one")
    clients.need("softhsm2-util")
    module = clients.need_file("softhsm2", *(
        f"{folder}/{name}" for folder in clients.library_directories() for name in PLACES))
    names = ("opensc", "gnutls", "nss", "token_opensc")
    files = [os.path.join(HERE, f"test_{name}.py") for name in names]
    env = {name: value for name, value in os.environ.items() if name != "SANITIZE"}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *files, "-q", "-p", "no:cacheprovider", "-k", CHOSEN,
         "--module", module, "--prepare", os.path.join(HERE, "prepare", "softhsm2")],
        env={**env, "TMPDIR": place}, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert int(re.search(r"(\d+) passed", run.stdout).group(1)) >= 70
