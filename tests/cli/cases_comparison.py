# SPDX-License-Identifier: MIT
"""The table and its JSON: figures, and what happens to files that cannot be compared."""
import json
import os
import shutil
import subprocess
import threading
import time

from support import (BINARY, QUICK, TIMEOUT, Skipped, bench_json, environment, needs_sha256, run,
                     small_tree, test, write)


@test
def json_has_all_figures(tree):
    small_tree(tree)
    done = run("bench", "--json", "--latency", "2ms", "--repeat", "3", "d", cwd=tree)
    assert done.returncode == 0 and done.stderr == b"" and done.stdout.endswith(b"}\n"), done
    figures = json.loads(done.stdout.decode())
    assert figures["hocket_bench"] == 1 and figures["processors"] >= 1
    cpu, io = figures["cpu_bound"], figures["io_bound"]
    assert io["downloads"] == 5 and io["latency"] == 0.002
    assert cpu["directory"] == "d" and cpu["unreadable"] == 0 and cpu["changed"] == 0
    halves = [(io, "downloads_per_second", 5)]
    if cpu["available"]:
        assert cpu["files"] == 20 and cpu["bytes"] == 190_000
        halves.append((cpu, "bytes_per_second", 190_000))
    for half, rate, amount in halves:
        assert half["equal"] and half["rounds"] == 3
        assert [(w["way"], w["workers"]) for w in half["ways"]] == [
            ("serial", 1), ("threads", 1), ("threads", 2), ("threads", 4), ("thread_pool", 1),
            ("thread_pool", 2), ("thread_pool", 4), ("coroutine_pool", 1),
            ("coroutine_pool", 2), ("coroutine_pool", 4), ("coroutine_pool", 16),
            ("giant_lock", 1), ("giant_lock", 2), ("giant_lock", 4),
            ("process_pool", 1), ("process_pool", 2), ("process_pool", 4)]
        first = half["ways"][0]["seconds"]
        for way in half["ways"]:
            assert way["equal"] and len(way["times"]) == 3
            assert way["seconds"] == sorted(way["times"])[1]
            assert abs(way["speed_up"] * way["seconds"] / first - 1) < 1e-6, way
            assert abs(way[rate] * way["seconds"] / amount - 1) < 1e-6, way


@test
def waiting_gains_from_threads_and_from_the_giant_lock(tree):
    os.mkdir(tree + "/empty")
    times = {(w["way"], w["workers"]): w["seconds"] for w in bench_json(
        tree, "--latency", "0.1", "--repeat", "1", "empty")["io_bound"]["ways"]}
    for way, workers, turns in (("serial", 1, 5), ("threads", 1, 5), ("threads", 2, 3),
                                ("threads", 4, 2), ("coroutine_pool", 1, 5),
                                ("coroutine_pool", 2, 3), ("coroutine_pool", 4, 2),
                                ("coroutine_pool", 16, 1), ("giant_lock", 1, 5), ("giant_lock", 2, 3),
                                ("giant_lock", 4, 2), ("process_pool", 1, 5),
                                ("process_pool", 2, 3), ("process_pool", 4, 2)):
        seconds = times[way, workers]
        assert seconds >= 0.1 * turns, (way, workers, seconds)
        if turns < 5:
            assert seconds < 0.1 * (turns + 5) / 2, (way, workers, seconds)


@test
def processes_are_made_as_is_said(tree):
    small_tree(tree)
    for method in ("forkserver", "spawn", "fork"):
        done = run("bench", "d", "--json", "--start-method", method, *QUICK, cwd=tree)
        assert done.returncode == 0 and done.stderr == b"", done
        figures = json.loads(done.stdout)
        assert figures["start_method"] == method, figures
        for half in ("io_bound", "cpu_bound"):
            assert figures[half]["equal"], figures[half]
        done = run("bench", "d", "--start-method", method, *QUICK, cwd=tree)
        assert f"  processes, {method} " in done.stdout.decode(), done


@test
def threads_and_processes_by_the_loop_of_the_textbooks(tree):
    os.mkdir(tree + "/empty")
    book = bench_json(tree, *QUICK, "empty")["textbook"]
    assert book["equal"] and book["tasks"] == 4, book
    assert [one["steps"] for one in book["runs"]] == [1_000_000, 10_000_000], book
    for one in book["runs"]:
        assert one["threading_seconds"] > 0 and one["multiprocessing_seconds"] > 0, book
    text = run("bench", *QUICK, "empty", cwd=tree).stdout.decode()
    assert "\n  Threading time: " in text and "\n  Multiprocessing time: " in text, text
    assert "  Totals are equal.\n" in text, text


@test
def short_work_is_repeated_by_itself(tree):
    os.mkdir(tree + "/empty")
    assert bench_json(tree, "--latency", "2ms", "empty")["io_bound"]["rounds"] == 5
    assert bench_json(tree, "--latency", "210ms", "empty")["io_bound"]["rounds"] == 1


@test
def json_is_utf8_whatever_the_directory_is_called(tree):
    name = b'a"\\\n\x1b\xff\xc3\xa9\xed\xa0\x80'
    os.mkdir(os.fsencode(tree) + b"/" + name)
    figures = bench_json(tree, *QUICK, os.fsdecode(name))
    assert figures["cpu_bound"]["directory"] == 'a"\\\n\x1b\ufffdé' + 3 * "\ufffd", figures


@needs_sha256
def table_is_aligned(tree):
    small_tree(tree)
    done = run("bench", "d", *QUICK, cwd=tree)
    text = done.stdout.decode()
    assert done.returncode == 0 and done.stderr == b"", done
    assert "SHA-256 of 20 files below d, 190.0 kB" in text
    assert "5 downloads of 0.002 s each" in text
    assert text.count("Results are equal in all 17 ways.") == 2
    rows = [line for line in text.splitlines() if " ms  " in line and "time:" not in line]
    assert len(rows) == 34, text
    assert text.count("  processes, forkserver ") == 7, text
    for row in rows:
        assert row[43:45] == "ms" and row[54] == "x" and row[57:68].strip()[-2] == ".", row
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80 and all(line == line.rstrip() for line in lines), text


@test
def empty_directory(tree):
    os.mkdir(tree + "/empty")
    done = run("bench", "empty", *QUICK, cwd=tree)
    assert done.returncode == 0 and done.stderr == b"", done
    assert b"downloads/s" in done.stdout


@test
def missing_directory(tree):
    write(tree + "/file")
    os.symlink("nowhere", tree + "/dangling")
    for name in ("nowhere", "", "dangling", "file/x", "/dev/null"):
        for more in ([], ["--sums"], ["--json"]):
            if more == ["--sums"] and b"off" in run("--version").stdout:
                continue
            done = run("bench", name, *more, cwd=tree)
            assert done.returncode == 1 and done.stdout == b"", (name, done)
            assert b"hocket bench DIR" in done.stderr and done.stderr.count(b"\n") == 1, done


@test
def names_cannot_act_on_the_terminal(tree):
    done = run("bench", "\x1b[2Jx\n\x07", cwd=tree)
    assert done.returncode == 1 and b"\x1b" not in done.stderr and b"\x07" not in done.stderr
    assert b"\\033[2Jx\\n\\a" in done.stderr, done
    os.mkdir(tree + "/\x1bx")
    assert b"\x1b" not in run("bench", *QUICK, "\x1bx", cwd=tree).stdout


@needs_sha256
def unreadable_files_are_counted(tree):
    directory = small_tree(tree)
    for i in range(12):
        write(f"{directory}/closed{i}", b"x")
        os.chmod(f"{directory}/closed{i}", 0)
    write(directory + "/closed/within")
    os.chmod(directory + "/closed", 0)
    binary = shutil.copy(BINARY, tree)  # where everybody may run it
    who = {}
    if os.geteuid() == 0:  # who may read everything
        who = {"user": 65534, "group": 65534, "extra_groups": []}
        os.chmod(tree, 0o755)
    try:
        for more, lines in ((["--sums"], 20), (["--json", *QUICK], None), (QUICK, None)):
            done = subprocess.run([binary, "bench", "d", *more], cwd=tree, check=False,
                                  env=environment(), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=TIMEOUT, **who)
            assert done.returncode == 0, done
            said = done.stderr.decode().splitlines()
            assert len(said) == 11 and said[-1].endswith("and 3 more could not be read"), done
            assert all("cannot read d/closed" in line and "Permission denied" in line
                       for line in said[:10]), done
            if lines:
                assert done.stdout.count(b"\n") == lines, done
            elif "--json" in more:
                figures = json.loads(done.stdout)["cpu_bound"]
                assert figures["unreadable"] == 13 and figures["files"] == 20, figures
            else:
                assert b"13 could not be read." in done.stdout, done
        done = subprocess.run([binary, "bench", "d/closed"], cwd=tree, check=False,
                              env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=TIMEOUT, **who)
        assert done.returncode == 1 and b"may not be read" in done.stderr, done
    except PermissionError as error:
        raise Skipped(f"cannot become somebody else: {error}") from error
    finally:
        os.chmod(directory + "/closed", 0o700)


@needs_sha256
def files_that_change_meanwhile_are_no_bug(tree):
    small_tree(tree)
    stop = threading.Event()

    def keep_changing():
        turn = 0
        while not stop.is_set():
            turn += 1
            with open(tree + "/d/1", "ab") as file:
                file.write(b"more")
            if os.path.exists(tree + "/d/2"):
                os.rename(tree + "/d/2", tree + "/gone")
            else:
                os.rename(tree + "/gone", tree + "/d/2")
            time.sleep(0.001)

    writer = threading.Thread(target=keep_changing)
    writer.start()
    try:
        for _ in range(3):
            done = run("bench", "d", "--json", "--latency", "1ms", "--repeat", "10", cwd=tree)
            assert done.returncode == 0, done
            cpu = json.loads(done.stdout)["cpu_bound"]
            assert cpu["equal"] and cpu["changed"] in (1, 2), done
    finally:
        stop.set()
        writer.join()
