# SPDX-License-Identifier: MIT
"""What the checks of this folder share: finding files, reading C, reporting.

A check is a program tools/check-<what> [--root DIR] that prints one line a
problem, "path:line: what is wrong", then a line of what it looked at. It exits
1 if there was a problem, and if there was nothing to look at.
"""
import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
C_FOLDERS = ("include", "src", "cli", "bench", "examples", "tests")

_TOKEN = re.compile(r"""//[^\n]* | /\*.*?\*/ | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""",
                    re.S | re.X)


def parser(doc):
    """The options that each check has."""
    result = argparse.ArgumentParser(description=doc,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--root", type=pathlib.Path, default=ROOT, help="the tree to look at")
    return result


def files(root, folders=C_FOLDERS, suffixes=(".c", ".h", ".cpp")):
    """All files of these kinds, sorted."""
    found = []
    for folder in folders:
        found += [p for p in (root / folder).rglob("*") if p.suffix in suffixes and p.is_file()]
    return sorted(found)


def read(path):
    return path.read_text(encoding="utf-8")


def without_comments(text):
    """The text with its comments blanked; lines keep their numbers."""
    def blank(match):
        token = match.group()
        return re.sub(r"[^\n]", " ", token) if token.startswith("/") else token
    return _TOKEN.sub(blank, text)


def code_only(text):
    """Blanks comments, what is inside quotes, and preprocessor lines."""
    def blank(match):
        token = match.group()
        if token.startswith("/"):
            return re.sub(r"[^\n]", " ", token)
        return token[0] + " " * (len(token) - 2) + token[0]
    text = _TOKEN.sub(blank, text)
    return re.sub(r"^[ \t]*#(?:.*\\\n)*.*", lambda m: re.sub(r"[^\n]", " ", m.group()), text,
                  flags=re.M)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class Report:
    """Collects problems; finish() prints them and ends the program."""

    def __init__(self, root):
        self.root = root
        self.problems = []
        self.looked_at = 0

    def add(self, path, line, text):
        shown = path.relative_to(self.root) if path.is_relative_to(self.root) else path
        self.problems.append(f"{shown}:{line}: {text}")

    def finish(self, what):
        for problem in self.problems:
            print(problem)
        name = pathlib.Path(sys.argv[0]).name
        if not self.looked_at:
            print(f"{name}: found no {what} to look at")
        print(f"{name}: {self.looked_at} {what}, {len(self.problems)} problems")
        sys.exit(1 if self.problems or not self.looked_at else 0)
