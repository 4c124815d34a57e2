"""OpenSSL, away from the module, checks signatures and encrypts."""

PSS = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:auto"]


def verifies(client, public, signature, data, digest="sha256", options=()):
    """True if the signature (ECDSA: DER) of the data is good."""
    client.write("signed", data)
    client.write("signature", signature)
    said = client.tool("openssl", "dgst", f"-{digest}", *options, "-verify", public,
                       "-signature", client.file("signature"), client.file("signed"), status=None)
    return said.status == 0 and "Verified OK" in said.out


def verifies_digest(client, public, signature, digest, *options):
    """The same for a bare digest, or DigestInfo, that was signed as it is."""
    client.write("signed", digest)
    client.write("signature", signature)
    said = client.tool("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public, *options,
                       "-sigfile", client.file("signature"), "-in", client.file("signed"),
                       status=None)
    return said.status == 0


def encrypt(client, public, data, *options):
    client.write("plain", data)
    client.tool("openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", public, *options,
                "-in", client.file("plain"), "-out", client.file("encrypted"))
    return client.file("encrypted")
