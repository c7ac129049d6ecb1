# SPDX-License-Identifier: MIT
"""What the tests of the command share: running it, making trees, asking coreutils."""
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios

TIMEOUT = 120
QUICK = ["--latency", "2ms", "--repeat", "1"]
TESTS = []


BINARY = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""


class Skipped(Exception):
    """Raised by a test that cannot run here."""


def test(function):
    TESTS.append(function)
    return function


def needs_sha256(function):
    """A test for builds with OpenSSL."""
    def wrapped(tree):
        if b"off" in run("--version").stdout:
            raise Skipped("no OpenSSL")
        function(tree)
    wrapped.__name__ = function.__name__
    return test(wrapped)


def environment(**changes):
    env = {k: v for k, v in os.environ.items()
           if k not in ("NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "COLUMNS")}
    env.update(LC_ALL="C", TERM="xterm", **changes)
    return env


def run(*args, env=None, cwd=None, **options):
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.run([BINARY, *args], env=env or environment(), cwd=cwd, timeout=TIMEOUT,
                          stdin=subprocess.DEVNULL, check=False, **options)


def run_on_terminal(*args, env=None, columns=100, both=True):
    """Runs it with standard error (and output) on a pseudo-terminal. (status, output, terminal)"""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([BINARY, *args], env=env or environment(), stderr=slave,
                               stdin=subprocess.DEVNULL,
                               stdout=slave if both else subprocess.PIPE)
    os.close(slave)
    seen = {master: b""}
    if not both:
        seen[process.stdout.fileno()] = b""
    left = set(seen)
    while left:
        ready, _, _ = select.select(list(left), [], [], TIMEOUT)
        assert ready, "it hangs"
        for fd in ready:
            try:
                data = os.read(fd, 65536)
            except OSError:  # EIO: the other side of a pseudo-terminal is gone
                data = b""
            seen[fd] += data
            if not data:
                left.remove(fd)
    os.close(master)
    status = process.wait(TIMEOUT)
    output = b"" if both else seen[process.stdout.fileno()]
    if not both:
        process.stdout.close()
    return status, output, seen[master]


def write(path, data=b""):
    path = os.fsencode(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def reference(tree, directory):
    """What coreutils makes of the same files."""
    script = 'find -H "$1" -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum --'
    return subprocess.run(["sh", "-c", script, "sh", directory], check=True, cwd=tree,
                          stdout=subprocess.PIPE).stdout


def check_sums(tree, directory, *args):
    """--sums is what sha256sum writes, and sha256sum accepts it. The result of the run."""
    done = run("bench", *args, "--sums", "--", directory, cwd=tree)
    assert done.returncode == 0, done
    assert done.stdout == reference(tree, directory)
    if done.stdout:
        check = subprocess.run(["sha256sum", "-c", "--quiet"], input=done.stdout, cwd=tree,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert check.returncode == 0, check
    return done


def bench_json(tree, *args):
    done = run("bench", "--json", *args, cwd=tree)
    assert done.returncode == 0 and done.stderr == b"", done
    return json.loads(done.stdout.decode())


def small_tree(tree):
    for i in range(20):
        write(f"{tree}/d/{i}", bytes([i]) * 1000 * i)
    return tree + "/d"
