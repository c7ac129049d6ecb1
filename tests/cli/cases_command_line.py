# SPDX-License-Identifier: MIT
"""Help, version, options, mistakes."""
import os

from support import bench_json, run, test


@test
def help_is_enough_to_use_it(_):
    done = run("--help")
    assert done.returncode == 0 and done.stderr == b""
    for word in ("bench", "--sums", "--json", "--latency", "--repeat", "--start-method", "--color",
                 "Exit status", "sha256sum -c", "/usr/include"):
        assert word in done.stdout.decode(), word
    assert max(map(len, done.stdout.decode().splitlines())) <= 80
    assert run("help").stdout == run("-h").stdout == done.stdout


@test
def help_of_bench(_):
    done = run("bench", "--help")
    assert done.returncode == 0 and b"--latency" in done.stdout and done.stderr == b""
    assert run("bench", "-h", "/does/not/exist").stdout == done.stdout


@test
def version(_):
    done = run("--version")
    assert done.returncode == 0 and done.stderr == b""
    first = done.stdout.decode().splitlines()[0]
    assert first.startswith("hocket ") and first.count(".") == 2, first


@test
def without_arguments_it_says_what_to_do(_):
    done = run()
    assert done.returncode == 2 and done.stdout == b"" and b"--help" in done.stderr


@test
def unknown_verbs_and_options_name_the_nearest(_):
    for args, near in ((["bnech"], "bench"), (["halp"], "help"), (["--hlep"], "--help"),
                       (["--verson"], "--version"),
                       (["bench", "--smus"], "--sums"), (["bench", "--jason"], "--json"),
                       (["bench", "--colour=never"], "--color"), (["bench", "--repaet", "3"],
                                                                  "--repeat")):
        done = run(*args)
        assert done.returncode == 2 and done.stdout == b"", (args, done)
        assert f"did you mean '{near}'?" in done.stderr.decode(), (args, done)
        assert done.stderr.count(b"\n") == 1, (args, done)


@test
def strange_words_get_no_guess(_):
    for args in (["zzzzzz"], ["--zzzzzz"], ["bench", "--zzzzzz"], ["bench", "-q"],
                 ["bench", "--" + 500 * "x"]):
        done = run(*args)
        assert done.returncode == 2 and done.stdout == b"", (args, done)
        assert b"--help" in done.stderr and b"did you mean" not in done.stderr, (args, done)


@test
def wrong_values_are_usage_errors(_):
    for args in (["--latency", "0"], ["--latency", "-1"], ["--latency", "nan"], ["--latency"],
                 ["--latency", "inf"], ["--latency", "2 parsecs"], ["--latency", ""],
                 ["--latency", "2h"], ["--latency", "1e99"], ["--repeat", "0"],
                 ["--repeat", "-3"], ["--repeat", "1001"], ["--repeat", "3x"], ["--repeat", ""],
                 ["--color", "blue"], ["--start-method", "thread"], ["--start-method"],
                 ["--start-method", ""], ["--json=1"], ["--sums", "--json"], ["a", "b"]):
        done = run("bench", *args)
        assert done.returncode == 2 and done.stdout == b"" and done.stderr, (args, done)
        assert done.stderr.count(b"\n") == 1, (args, done)


@test
def latency_takes_units(tree):
    os.mkdir(tree + "/empty")
    for text, seconds in (("0.002", 0.002), ("2ms", 0.002), ("2000us", 0.002), (".002s", 0.002)):
        figures = bench_json(tree, "--latency", text, "--repeat", "1", "empty")
        assert abs(figures["io_bound"]["latency"] - seconds) < 1e-12, (text, figures)
