# SPDX-License-Identifier: MIT
"""tools/setup prints the line that would install, installs as root or if told to."""
import pathlib
import subprocess
import tempfile

from trees import TOOLS, main, write

# An empty machine: of commands there is only what these stand for.
APT = '#!/bin/sh\necho "apt-get $*"\n'
SUDO = '#!/bin/sh\necho "sudo: $*"\n'


def machine(uid, env, check):
    """A test: setup on an empty machine, as this user."""
    def test():
        with tempfile.TemporaryDirectory() as folder:
            write(folder, {"id": f"#!/bin/sh\necho {uid}\n", "apt-get": APT, "sudo": SUDO})
            for path in pathlib.Path(folder).glob("*"):
                path.chmod(0o755)
            done = subprocess.run([TOOLS / "setup", "build"], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True,
                                  env={"PATH": folder} | env)
        check(done.returncode, done.stdout)
    return test


def user(status, output):
    assert status == 1, status
    line = output.splitlines()[-1].strip()
    assert line.startswith("sudo sh -c 'apt-get update && apt-get install -y"), output
    for package in ("gcc", "clang", "cmake", "ninja-build"):
        assert f" {package}" in line, output


def root(status, output):
    assert status == 0, output
    assert "apt-get update" in output and "apt-get install -y" in output, output


def told(status, output):
    assert status == 0, output
    assert "sudo: apt-get install -y" in output, output


main({
    "a user is told": machine(1000, {}, user),
    "root installs": machine(0, {}, root),
    "HOCKET_SETUP=1 installs": machine(1000, {"HOCKET_SETUP": "1"}, told),
    "HOCKET_SETUP=0 does not": machine(1000, {"HOCKET_SETUP": "0"}, user),
})
