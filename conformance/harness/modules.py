"""The module under test: Signet, or a foreign one that a script prepares.

A module serves keys: `serve` answers the environment in which the module shows
one token for each key, with the key's name as the token's and the objects' label.
"""

import os
import re
import shutil
import subprocess

import pytest

from . import keys

OWN_SCRIPT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "prepare", "signet"))


def environment_of(said):
    return dict(line.split("=", 1) for line in said.splitlines())


def fresh_environment(script, directory, lines, env):
    said = subprocess.run([script, "--fresh", directory, lines], env={**os.environ, **env},
                          capture_output=True, text=True, check=False)
    if said.returncode == 2:
        pytest.skip(f"the module's tokens cannot have '{lines}'")
    assert said.returncode == 0, said.stderr
    return environment_of(said.stdout)


class Signet:
    foreign = False

    def __init__(self, path, fixtures, tpm):
        self.path, self.fixtures, self.tpm = path, fixtures, tpm

    def serve(self, directory, names, extra=""):
        """Writes a configuration with a section for each name."""
        conf = os.path.join(directory, "signet.conf")
        with open(conf, "w", encoding="utf-8") as file:
            file.write(f"tpm = {self.tpm.word}\nmanufacturer id = Signet test\n{extra}")
            for name in names:
                file.write(f"\n[{name}]\n")
                file.writelines(f"{self.absolute(line)}\n" for line in self.section(name))
        return {"SIGNET_CONF": conf}

    def section(self, name):
        return keys.section(os.path.join(self.fixtures, "all.conf"), name)

    def absolute(self, line):
        """The line with its file's full path."""
        word, value = re.split(r"\s*=\s*", line, maxsplit=1)
        if word in ("certificate", "private key") and not value.startswith("handle:"):
            value = os.path.join(self.fixtures, value)
        return f"{word} = {value}"

    def pin(self, key):
        return key.pin

    def fresh(self):
        """The environment of a program that makes its tokens with api/fresh.h."""
        return {"PKCS11_FRESH": OWN_SCRIPT, "FRESH_TPM": self.tpm.word}

    def writable(self, directory, its_tpm, lines):
        """The environment in which it shows one token that was never initialised."""
        return fresh_environment(OWN_SCRIPT, directory, lines, {"FRESH_TPM": its_tpm.word})

    def apart(self, directory):
        """A copy of all that it needs, for a user who may not read the originals."""
        fixtures, there = os.path.join(directory, "fixtures"), os.path.join(directory, "module")
        shutil.copytree(self.fixtures, fixtures, ignore=shutil.ignore_patterns("b*", "odd"))
        os.makedirs(there)
        for name in (os.path.basename(self.path), "libtss2-tcti-signet.so.0"):
            original = os.path.join(os.path.dirname(self.path), name)
            if os.path.exists(original):
                shutil.copy(original, there)
        path = os.path.join(there, os.path.basename(self.path))
        return Signet(path, fixtures, self.tpm.apart(os.path.join(directory, "tpm")))


class Foreign:
    foreign = True
    PIN = "1234"

    def __init__(self, path, fixtures, script, directory):
        self.path, self.fixtures, self.script, self.directory = path, fixtures, script, directory
        self.prepared = {}

    def serve(self, directory, names, extra=""):
        """Lets the script make these tokens, in a place of their own, once."""
        if names not in self.prepared:
            place = os.path.join(self.directory, "+".join(names))
            os.makedirs(place)
            for name in names:
                self.prepared[names] = self.prepare(place, name)
        return self.prepared[names]

    def prepare(self, place, name):
        key = keys.available("none", True)[name]
        file = os.path.join(self.fixtures, name)
        said = subprocess.run(
            [self.script, place, name, f"{file}.key", f"{file}.crt", self.PIN],
            env={**os.environ, "KEY_PASSPHRASE": key.pin}, check=True, capture_output=True,
            text=True).stdout
        return environment_of(said)

    def pin(self, key):
        return self.PIN

    def fresh(self):
        return {"PKCS11_FRESH": self.script}

    def writable(self, directory, _tpm, lines):
        return fresh_environment(self.script, directory, lines, {})
