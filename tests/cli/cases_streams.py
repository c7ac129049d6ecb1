# SPDX-License-Identifier: MIT
"""Output, errors, terminals, signals."""
import os
import signal
import subprocess
import time

from support import BINARY, QUICK, TIMEOUT, environment, run, run_on_terminal, small_tree, test


@test
def no_progress_in_a_pipe(tree):
    small_tree(tree)
    done = run("bench", "d", "--latency", "50ms", "--repeat", "1", cwd=tree)
    assert done.returncode == 0 and done.stderr == b"", done
    assert b"\r" not in done.stdout and b"\x1b" not in done.stdout, done


@test
def progress_on_a_terminal(tree):
    directory = small_tree(tree)
    status, output, seen = run_on_terminal("bench", directory, "--latency", "100ms", "--repeat",
                                           "1", both=False)
    assert status == 0 and b"I/O-bound" in output and b"\x1b" not in output, output
    assert b"% " in seen and b"downloading, one after another" in seen, seen
    assert b"\n" not in seen and seen.endswith(b"\r\x1b[K"), seen
    assert b"downloading" not in seen.rsplit(b"\x1b[K", 2)[-1]


@test
def progress_fits_the_terminal(tree):
    directory = small_tree(tree)
    _, _, seen = run_on_terminal("bench", directory, "--latency", "50ms", "--repeat", "1",
                                 columns=30, both=False)
    lines = seen.replace(b"\x1b[K", b"").split(b"\r")
    assert b"downloading" in seen and max(map(len, lines)) < 30, lines


@test
def dumb_terminals_get_neither_progress_nor_colour(tree):
    directory = small_tree(tree)
    status, _, seen = run_on_terminal("bench", directory, "--latency", "50ms", "--repeat", "1",
                                      env=dict(environment(), TERM="dumb"))
    assert status == 0 and b"\x1b" not in seen and b"% " not in seen, seen


@test
def colour_goes_by_option_then_environment_then_terminal(tree):
    directory = small_tree(tree)

    def in_pipe(*args, **env):
        return b"\x1b[" in run("bench", directory, *QUICK, *args, env=environment(**env)).stdout

    def on_terminal(*args, **env):  # its progress line is not shown so quickly
        return b"\x1b[1m" in run_on_terminal("bench", directory, *QUICK, *args,
                                             env=environment(**env))[2]

    assert not in_pipe() and in_pipe("--color=always") and not in_pipe("--color", "never")
    assert in_pipe("--color=always", NO_COLOR="1") and in_pipe(CLICOLOR_FORCE="1")
    assert in_pipe(FORCE_COLOR="1") and not in_pipe(CLICOLOR_FORCE="1", NO_COLOR="1")
    assert not in_pipe(CLICOLOR_FORCE="0") and not in_pipe("--color=auto")
    assert on_terminal() and not on_terminal("--color=never") and not on_terminal(NO_COLOR="1")
    assert on_terminal(NO_COLOR="") and not on_terminal(CLICOLOR="0")


@test
def a_full_disk_is_a_failure(tree):
    directory = small_tree(tree)
    commands = [["--help"], ["--version"], ["bench", "--help"], ["bench", directory, *QUICK],
                ["bench", directory, "--json", *QUICK]]
    if b"off" not in run("--version").stdout:
        commands.append(["bench", directory, "--sums"])
    for command in commands:
        with open("/dev/full", "wb") as full:
            done = run(*command, stdout=full)
        assert done.returncode == 1, (command, done)
        assert b"No space left on device" in done.stderr and done.stderr.count(b"\n") == 1, done


@test
def a_closed_output_is_a_failure(tree):
    directory = small_tree(tree)
    done = subprocess.run(["sh", "-c", 'exec "$0" bench "$1" --latency 1ms >&-', BINARY, directory],
                          stderr=subprocess.PIPE, timeout=TIMEOUT, check=False)
    assert done.returncode == 1 and b"cannot write" in done.stderr, done


@test
def a_reader_that_goes_away_is_no_news(tree):
    directory = small_tree(tree)
    for restore, status in ((True, -signal.SIGPIPE), (False, 1)):
        reader, writer = os.pipe()
        os.close(reader)
        done = run("bench", directory, *QUICK, stdout=writer, restore_signals=restore)
        os.close(writer)
        assert done.returncode == status and done.stderr == b"", done


@test
def ctrl_c_ends_it(tree):
    directory = small_tree(tree)
    with subprocess.Popen([BINARY, "bench", directory, "--latency", "30s"], env=environment(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == -signal.SIGINT and errors == b"", (output, errors)


@test
def waiting_uses_no_processor(tree):
    os.mkdir(tree + "/empty")
    before = os.times()
    run("bench", "empty", "--latency", "100ms", "--repeat", "1", cwd=tree)
    after = os.times()
    used = (after.children_user - before.children_user
            + after.children_system - before.children_system)
    assert used < 0.8, used  # of 5 s
