"""A token directory, for tests that spoil it or its TPM."""

import re

from . import sanitize


class Directory:
    """A token directory on an embedded TPM of its own."""

    def __init__(self, client, module, build, extra=""):
        self.client, self.module = client, module
        self.path, self.tpm = client.file("work-token"), client.file("own-tpm")
        self.tcti = f"{build}/libtss2-tcti-signet.so.0:dir={self.tpm}"
        self.conf = client.write("directory.conf", f"tpm = embedded:{self.tpm}\n[work]\n"
                                 f"token directory = {self.path}\nuser tries = 3\n{extra}")
        client.serving = {"SIGNET_CONF": self.conf}

    def tool(self, *words, status=0):
        return self.client.run("pkcs11-tool", "--module", self.module.path, *words, status=status)

    def initialise(self):
        self.tool("--init-token", "--label", "work", "--so-pin", "so-secret")

    def set_pin(self):
        self.tool("--login", "--login-type", "so", "--so-pin", "so-secret", "--init-pin",
                  "--new-pin", "1234")

    def generate(self):
        self.tool("--login", "--pin", "1234", "--keypairgen", "--key-type", "EC:prime256v1",
                  "--label", "key")

    def tpm2(self, name, *words):
        return self.client.tool(name, "-T", self.tcti, *words, env=sanitize.environment()).out

    def indexes(self):
        listed = self.tpm2("tpm2_getcap", "handles-nv-index")
        return [int(index, 16) for index in re.findall("0x[0-9A-Fa-f]+", listed)]
