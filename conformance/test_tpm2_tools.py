"""Stories of tpm2-tools: every command is a process of its own, as in people's scripts.

Each story is a function of a file of stories/, and has a new TPM for itself, or two.
"""

import os
import re
import shutil
import tempfile

import pytest

from harness import clients, process, tpm

pytestmark = pytest.mark.signet
STORIES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stories")
PRELUDE = os.path.join(STORIES, "prelude.sh")
OPENED = re.compile(r"^(\w+)\(\) \{$", re.MULTILINE)
WORDS_OF_A_SENTENCE = 3
# What only the embedded TPM is made with.
OF_THE_EMBEDDED = ("the_endorsement_keys_have_certificates",)


def stories():
    """(file, function) of each story: the functions whose names are sentences."""
    found = []
    for name in sorted(os.listdir(STORIES)):
        path = os.path.join(STORIES, name)
        if path == PRELUDE:
            continue
        with open(path, encoding="utf-8") as file:
            functions = OPENED.findall(file.read())
        found += [(path, function) for function in functions if is_sentence(function)]
    return found


def is_sentence(name):
    return name.count("_") + 1 >= WORDS_OF_A_SENTENCE


class Place:
    """A story's directory and its TPMs."""

    def __init__(self, kind, build, directory):
        self.kind, self.build, self.directory = kind, build, directory
        self.tpms = []
        os.makedirs(self.path("work"))

    def path(self, name):
        return os.path.join(self.directory, name)

    def start(self):
        self.tpms.append(tpm.start(self.kind, self.build, self.path(f"tpm{len(self.tpms)}")))
        return self.tpms[-1].tcti

    def environment(self, needs_other):
        env = {"PATH": clients.PATH, "LANG": "C.UTF-8", "TZ": "UTC", "HOME": self.directory,
               "TSS2_LOG": "all+NONE", "TPM2TOOLS_TCTI": self.start(),
               "MAKE_ROOM": "tpm2_flushcontext -t" if self.kind == "swtpm" else ":"}
        if needs_other:
            env["OTHER_TCTI"] = self.start()
        return env

    def tell(self, path, story):
        with open(path, encoding="utf-8") as file:
            body = re.search(rf"^{story}\(\) \{{$.*?^\}}$", file.read(), re.MULTILINE | re.DOTALL)
        env = self.environment("other " in body.group())
        return process.run(["sh", "-euc", f". {PRELUDE}\n. {path}\n{story}"], env,
                           self.path("work"))

    def end(self):
        for started in self.tpms:
            started.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture
def its_place(tpm_kind, build, place):
    if tpm_kind == "device":
        pytest.skip("the stories clear their TPM")
    if tpm_kind == "embedded" and os.environ.get("SANITIZE"):
        pytest.skip("tpm2-tools hang at exit with AddressSanitizer preloaded, whatever the TCTI")
    clients.need("tpm2_dictionarylockout")
    made = Place(tpm_kind, build, tempfile.mkdtemp(prefix="s", dir=place))
    yield made
    made.end()


@pytest.mark.parametrize("path, story", stories(), ids=[name for _, name in stories()])
def test_story(its_place, path, story):
    if story in OF_THE_EMBEDDED and its_place.kind != "embedded":
        pytest.skip("a swtpm has none unless swtpm_setup makes them")
    result = its_place.tell(path, story)
    assert result.status == 0, f"the story ended at:\n{result}"
