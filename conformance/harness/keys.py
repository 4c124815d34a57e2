"""The kinds of key, as the fixtures' description lists them."""

import os
from dataclasses import dataclass

DESCRIPTION = os.path.join(os.path.dirname(__file__), "..", "..", "fixtures", "description")
MAIN = ("ec", "ec-pin", "rsa", "rsa-pin")


@dataclass(frozen=True)
class Key:
    name: str
    maker: str
    algorithm: str
    pin: str
    form: str

    @property
    def is_rsa(self):
        return self.algorithm.startswith("RSA")

    @property
    def in_tpm(self):
        return self.maker != "openssl"

    @property
    def persists(self):
        return self.form.startswith(("parent-", "handle-"))

    @property
    def forgives(self):
        """A wrong PIN is no matter for the whole TPM."""
        return not self.in_tpm or self.form.endswith("+noda")

    @property
    def size(self):
        """The length of a raw signature."""
        bits = int(self.algorithm.split("-")[1])
        return bits // 8 if self.is_rsa else (bits + 7) // 8 * 2

    @property
    def hex_id(self):
        return self.name.encode().hex()


def described():
    with open(DESCRIPTION, encoding="utf-8") as lines:
        rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return [Key(name, maker, algorithm, "" if pin == "-" else pin, form)
            for name, maker, algorithm, pin, form in rows]


def available(tpm, foreign):
    """name -> key, for a kind of TPM and one's own or a foreign module."""
    chosen = [key for key in described()
              if not (key.persists and tpm == "device") and not (key.in_tpm and foreign)]
    return {key.name: key for key in chosen}


def in_software(names):
    """Software keys of the same algorithms, for modules that take no others."""
    return list(dict.fromkeys("soft-rsa" if "rsa" in name else "soft-ec" for name in names))


def section(path, name):
    """The lines of a section of a configuration, without its header."""
    lines, inside = [], False
    with open(path, encoding="utf-8") as file:
        for line in file.read().splitlines():
            if line.startswith("["):
                inside = line == f"[{name}]"
            elif inside and line:
                lines.append(line)
    return lines
