"""The C programs in api/: each is one cmocka group, and each of its tests is one of ours."""

import glob
import os
import re

from . import process

SOURCES = os.path.join(os.path.dirname(__file__), "..", "api")
# The report of a test in cmocka's TAP output; what it says goes before it or after it.
VERDICT = re.compile(r"^(not ok|ok) \d+ (?:- |# SKIP )(\w+)", re.MULTILINE)


def described():
    """(program, test) for every test in the sources."""
    found = []
    for path in sorted(glob.glob(f"{SOURCES}/*_test.c")):
        with open(path, encoding="utf-8") as file:
            blocks = re.findall(r"struct CMUnitTest \w+\[\] = \{(.*?)\n\s*\};", file.read(), re.DOTALL)
        program = os.path.basename(path)[:-2]
        found += [(program, test) for block in blocks
                  for test in re.findall(r"(?:^|\s)\w+\(\s*(\w+)", block)]
    return found


def find(build, program):
    for parent, _, names in os.walk(build):
        path = os.path.join(parent, program)
        if program in names and os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(f"there is no program {program} in {build}: run make first")


class Outcome:
    """What a program reported: for each test "passed", "failed" or "skipped"."""

    def __init__(self, result):
        self.result = result
        self.tests = {}
        for match in VERDICT.finditer(result.out):
            skipped = "# SKIP" in match.group(0)
            word = "skipped" if skipped else "passed" if match.group(1) == "ok" else "failed"
            self.tests[match.group(2)] = word

    def why_skipped(self, test):
        said = [line for line in self.story(test).splitlines() if line.startswith("skipped: ")]
        return said[0][len("skipped: "):] if said else "the program does not say why"

    def story(self, test):
        """What the program said between the verdicts before and after this one."""
        lines = self.result.out.splitlines()
        at = next((i for i, line in enumerate(lines)
                   if (found := VERDICT.match(line)) and found.group(2) == test), None)
        if at is None:
            return ""
        start, end = at, at + 1
        while start > 0 and not VERDICT.match(lines[start - 1]):
            start -= 1
        while end < len(lines) and not VERDICT.match(lines[end]):
            end += 1
        return "\n".join(lines[start:end])

    def ended_well(self):
        failed = "failed" in self.tests.values()
        return (self.result.status == 0 or failed and 0 < self.result.status < 126) \
            and not process.complaints(self.result.said)
