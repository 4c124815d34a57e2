"""The programs that tests run, and the Debian packages that hold them."""

import os
import shutil

import pytest

PACKAGES = {
    "apache2": "apache2-bin",
    "certtool": "gnutls-bin",
    "certutil": "libnss3-tools",
    "cmsutil": "libnss3-tools",
    "curl": "curl",
    "gnutls-cli": "gnutls-bin",
    "gnutls-serv": "gnutls-bin",
    "java": "openjdk-17-jdk-headless",
    "javac": "openjdk-17-jdk-headless",
    "keytool": "openjdk-17-jdk-headless",
    "modutil": "libnss3-tools",
    "openssl": "openssl",
    "p11-kit": "p11-kit",
    "p11tool": "gnutls-bin",
    "pk12util": "libnss3-tools",
    "pkcs11-tool": "opensc",
    "selfserv": "libnss3-tools",
    "setpriv": "util-linux",
    "softhsm2-util": "softhsm2",
    "swtpm": "swtpm",
    "tpm2_dictionarylockout": "tpm2-tools",
    "tstclnt": "libnss3-tools",
}
PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


def missing(what, package):
    """Ends the test: a client that is not there is an error in CI, else a skip."""
    text = f"{what} is missing: install {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


def need(program):
    """The program's full path."""
    path = shutil.which(program, path=PATH)
    return path or missing(program, PACKAGES.get(program, f"what holds {program}"))


def need_file(package, *paths):
    """The first of these files that exists."""
    for path in paths:
        if os.path.exists(path):
            return path
    return missing(paths[0], package)


def library_directories():
    """Where distributions keep shared libraries, the multiarch place first."""
    machine = os.uname().machine
    return [f"/usr/lib/{machine}-linux-gnu", "/usr/lib64", "/usr/lib"]


def need_library(package, name):
    return need_file(package, *(f"{place}/{name}" for place in library_directories()))
