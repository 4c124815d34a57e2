"""The programs of conformance/api: C tests of any PKCS#11 module by its path.

Each program runs once for each set of tokens; each sentence of it is one test here.
Those named token_… make the tokens that they write on; see api/fresh.h.
"""

import contextlib
import functools
import glob
import os
import re
import subprocess
import types
from dataclasses import dataclass, field

import pytest

from harness import clients, known, modules, sanitize, tpm

API = os.path.join(os.path.dirname(__file__), "api")
LIMIT = 300  # seconds for a program
NOISE = re.compile(r"^(1\.\.\d+|# (not )?ok - tests)$")
LINE = re.compile(r"^(?P<verdict>ok|not ok) \d+ (?P<skip># SKIP )?(?:- )?(?P<name>\w+)$")

# The tokens of a run: a P-256 key, an RSA-2048 key, and a key with a PIN.
SETS = {
    "tpm": ("ec", "rsa", "ec-pin"),
    # Wrong PINs of these do not count in a machine's own TPM.
    "device": ("ec", "rsa", "ec-noda"),
    "rsa-pin": ("ec", "rsa", "rsa-pin"),
    "software": ("soft-ec", "soft-rsa", "soft-rsa-pin"),
}
# Beyond the set "tpm", or "software" for a foreign module: what depends on the key.
BY_KEY = ("attribute", "content", "derive", "encrypt", "encrypt_rules", "find", "login", "object",
          "pss", "sign", "sign_data", "sign_rules", "verify_signature")
BY_PIN = ("find", "sign_rules")
COUNTED = ("count", "token_count", "trouble")
LEAKY = ("exit", "fork")  # their processes end without C_Finalize, on purpose

FRESH = "fresh"  # not a set of keys: the program makes its tokens itself
FRESH_TPM = "fresh-tpm"  # the same, its secret keys in the TPM
BY_SECRET = ("token_cipher", "token_mac")


@dataclass
class Outcome:
    verdict: str = "missing"
    said: list = field(default_factory=list)


def programs():
    """name -> the sentences that its source registers."""
    found = {}
    for path in sorted(glob.glob(os.path.join(API, "*_test.c"))):
        with open(path, encoding="utf-8") as source:
            names = re.findall(r"^\s+(?:test|cmocka_unit_test)\(\s*(\w+)\)", source.read(), re.M)
        found[os.path.basename(path)[: -len("_test.c")]] = names
    return found


def pytest_generate_tests(metafunc):
    if "sentence" not in metafunc.fixturenames:
        return
    foreign = bool(metafunc.config.getoption("--prepare"))
    tpm_kind = metafunc.config.getoption("--tpm")
    cases = []
    for program, sentences in programs().items():
        for name in sets_for(program, foreign, tpm_kind):
            cases += [(program, name, sentence) for sentence in [*sentences, "it_ends_well"]]
    metafunc.parametrize("program, tokens, sentence", cases,
                         ids=[f"{program}-{name}-{sentence}" for program, name, sentence in cases])


def makes_tokens(program):
    return program.startswith("token_")


def sets_for(program, foreign, tpm_kind):
    if makes_tokens(program):
        # Their NV indexes are not for a machine's own TPM.
        if tpm_kind == "device" or (foreign and program in COUNTED):
            return []
        return [FRESH, FRESH_TPM] if program in BY_SECRET and not foreign else [FRESH]
    if foreign:
        return [] if program in COUNTED else ["software"]
    if program == "trouble" and tpm_kind == "swtpm":
        return []  # it says of loaded keys that they are gone, and swtpm keeps them
    if tpm_kind == "device":
        return ["device", *(["software"] if program in BY_KEY else [])]
    return ["tpm", *(["rsa-pin"] if program in BY_PIN else []),
            *(["software"] if program in BY_KEY else [])]


def parse(output):
    """sentence -> Outcome. What a test says comes before its verdict, why it failed after it."""
    outcomes, said, last = {}, [], Outcome()
    for line in output.splitlines():
        if NOISE.match(line):
            continue
        match = LINE.match(line)
        if match:
            verdict = "skipped" if match["skip"] else match["verdict"]
            last = outcomes[match["name"]] = Outcome(verdict, said)
            said = []
        elif line.startswith("# ") and not said:
            last.said.append(line)
        else:
            said.append(line)
    return outcomes


class Runner:
    def __init__(self, module, place, build, the_tpm, tpm_kind):
        self.module, self.build, self.the_tpm = module, build, the_tpm
        self.tpm_kind = tpm_kind
        self.directory = os.path.join(place, "api")
        os.makedirs(self.directory)
        self.run = functools.lru_cache(maxsize=None)(self.run_once)

    def run_once(self, program, tokens):
        """The outcomes of a program, its status and all that it said."""
        path = os.path.join(self.build, "conformance", f"{program}_test")
        if not os.path.exists(path):
            pytest.fail(f"there is no program {path}: run make first", pytrace=False)
        home = os.path.join(self.directory, f"{program}-{tokens}")
        os.makedirs(home)
        with self.tpm_for(home, program) as its_tpm:
            if self.tpm_kind == "swtpm":
                forget_objects(its_tpm.tcti)
            return self.execute(path, home, self.environment(home, program, tokens, its_tpm))

    @staticmethod
    def execute(path, home, environment):
        try:
            done = subprocess.run([path], env=environment, cwd=home,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
            status, output = done.returncode, done.stdout
        except subprocess.TimeoutExpired as late:
            status, output = f"stopped after {LIMIT} s", late.stdout or b""
        text = output.decode(errors="replace")
        return parse(text), status, text

    @contextlib.contextmanager
    def tpm_for(self, home, program):
        """A program that makes tokens has a TPM of its own: they fill its NV."""
        if not makes_tokens(program) or self.module.foreign:
            yield self.the_tpm
            return
        own = tpm.start(self.tpm_kind, self.build, os.path.join(home, "tpm"))
        yield own
        own.stop()

    def environment(self, home, program, tokens, its_tpm):
        counted = self.counted(home) if program in COUNTED else {}
        environment = {
            "PATH": clients.PATH, "LANG": "C.UTF-8", "HOME": home, "TMPDIR": home,
            "CMOCKA_MESSAGE_OUTPUT": "TAP", "PKCS11_MODULE": self.module.path,
            "PKCS11_HARDWARE": "1" if self.tpm_kind == "device" else "0",
            "PKCS11_EXCLUSIVE": "1" if self.tpm_kind == "swtpm" else "0",
            "SIGNET_LOG": os.path.join(home, "log"),
            **self.tokens(home, tokens, counted, its_tpm), **self.sanitizer(program), **counted,
        }
        for name in ("TEST_SECONDS", "CROWD_SECONDS"):
            if name in os.environ:
                environment[name] = os.environ[name]
        return environment

    def tokens(self, home, tokens, counted, its_tpm):
        served = self.serving(counted, its_tpm)
        if tokens in (FRESH, FRESH_TPM):
            # They change their environment, and what the module had put there would leak.
            return {"TSS2_LOG": "all+none", **served.fresh(),
                    "PKCS11_SECRETS": "tpm" if tokens == FRESH_TPM else ""}
        ec, rsa, pin = SETS[tokens]
        return {"PKCS11_TOKEN_EC": ec, "PKCS11_TOKEN_RSA": rsa, "PKCS11_TOKEN_PIN": pin,
                "PKCS11_PIN": "1234", "PKCS11_WRITABLE": "1" if self.module.foreign else "0",
                **served.serve(home, SETS[tokens])}

    def counted(self, home):
        return {"COUNT_TCTI_LOG": os.path.join(home, "commands"),
                "COUNT_TCTI_FAULTS": os.path.join(home, "faults")}

    def serving(self, counted, its_tpm):
        """The module with this TPM, behind the counting TCTI where commands are counted."""
        if self.module.foreign:
            return self.module
        if counted:
            library = os.path.join(self.build, "libtss2-tcti-count.so.0")
            its_tpm = types.SimpleNamespace(word=f"{library}:{its_tpm.tcti}")
        return modules.Signet(self.module.path, self.module.fixtures, its_tpm)

    @staticmethod
    def sanitizer(program):
        """These programs are sanitized themselves: nothing is preloaded, and leaks count."""
        if not os.environ.get("SANITIZE"):
            return {}
        options = {**sanitize.OPTIONS, **{name: os.environ[name] for name in sanitize.OPTIONS
                                          if name in os.environ}}
        options["ASAN_OPTIONS"] += f":detect_leaks={int(program not in LEAKY)}"
        return options


@pytest.fixture(scope="session")
def runner(module, place, build, the_tpm, tpm_kind):
    if tpm_kind == "swtpm":
        survive_wrong_pins(the_tpm.tcti)
    return Runner(module, place, build, the_tpm, tpm_kind)


def survive_wrong_pins(tcti):
    """swtpm locks itself for a long time after three wrong tries."""
    subprocess.run([clients.need("tpm2_dictionarylockout"), "-T", tcti, "--setup-parameters",
                    "--max-tries=100", "--recovery-time=1", "--lockout-recovery-time=1"],
                   check=True, capture_output=True)


def forget_objects(tcti):
    """Without a resource manager the objects of a process that was killed stay in the TPM."""
    subprocess.run([clients.need("tpm2_flushcontext"), "-T", tcti, "-t"], check=True,
                   capture_output=True)


def judge(program, tokens, sentence, outcomes, status, text):
    if sentence == "it_ends_well":
        failed = sum(outcome.verdict == "not ok" for outcome in outcomes.values())
        assert status == failed, f"{program}_test ended with {status}:\n{text}"
        return
    outcome = outcomes.get(sentence, Outcome())
    told = "\n".join(outcome.said)
    if outcome.verdict == "skipped":
        pytest.skip(told.rpartition("skipped: ")[2])
    if outcome.verdict == "missing":
        pytest.fail(f"{program}_test ended with {status} before it came to this:\n{text[-4000:]}",
                    pytrace=False)
    if outcome.verdict != "ok":
        with_what = ", ".join(SETS.get(tokens, (tokens,)))
        pytest.fail(f"{program}_test with the tokens {with_what}:\n{told}", pytrace=False)


def test_api(runner, program, tokens, sentence):
    outcomes, status, text = runner.run(program, tokens)
    reason = known.reason(runner.module.path, program, sentence)
    if reason and outcomes.get(sentence, Outcome()).verdict != "ok":
        pytest.xfail(reason)
    judge(program, tokens, sentence, outcomes, status, text)
