# SPDX-License-Identifier: MIT
"""--sums, against coreutils."""
import os
import socket

from support import QUICK, bench_json, check_sums, needs_sha256, run, small_tree, write


@needs_sha256
def sums_of_odd_names(tree):
    names = (b"a b", b" ", b"new\nline", b"back\\slash", b"\\n", b"car\rriage", b"\xff\xfe",
             b"-c", b"*", b".hidden", b".h/.i", "ümläut".encode(), b"tab\t", b"'\"$x", b"a/b/c/d",
             b"a/b!", b"a-b", 200 * b"x")
    for i, name in enumerate(names):
        write(os.fsencode(tree) + b"/odd/" + name, b"content %d\n" % i)
    done = check_sums(tree, "odd")
    assert done.stdout.count(b"\n") == len(names) and done.stderr == b"", done


@needs_sha256
def sums_of_all_sizes(tree):
    for size in (0, 1, 55, 56, 63, 64, 65, 4096, 65535, 65536, 65537, 131072, 20_000_000):
        write(f"{tree}/d/{size}", os.urandom(size))
    check_sums(tree, "d")


@needs_sha256
def directories_in_every_spelling(tree):
    small_tree(tree)
    os.symlink("d", tree + "/link")
    os.rename(tree + "/d/3", tree + "/d/-3")
    for name in ("d", "d/", "./d", "d/../d", "link", "link/", tree + "/d", "."):
        done = run("bench", "--sums", name, cwd=tree)
        lines = [line for line in done.stdout.splitlines() if line]
        assert done.returncode == 0 and len(lines) == 20, (name, done)
        prefix = name.rstrip("/") + "/"
        assert all(line[66:].startswith(os.fsencode(prefix)) for line in lines), (name, lines[0])
        check_sums(tree, name.rstrip("/"))
    os.rename(tree + "/d", tree + "/--json")
    done = run("bench", "--sums", "--", "--json", cwd=tree)
    assert done.returncode == 0 and done.stdout.count(b"  --json/") == 20, done


@needs_sha256
def one_file_is_fine_too(tree):
    write(tree + "/file", b"x")
    check_sums(tree, "file")


@needs_sha256
def only_regular_files_count(tree):
    directory = small_tree(tree)
    os.symlink("1", directory + "/link")
    os.symlink("nowhere", directory + "/dangling")
    os.symlink("..", directory + "/circle")
    os.symlink("/usr/include", directory + "/outside")
    os.mkfifo(directory + "/pipe")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(directory + "/socket")
        done = check_sums(tree, "d")
    assert done.stdout.count(b"\n") == 20 and done.stderr == b"", done


@needs_sha256
def deep_trees(tree):
    path = tree + "/deep"
    os.mkdir(path)
    for _ in range(60):
        path += "/directory"
        write(path + "/file", b"x")
    check_sums(tree, "deep")


@needs_sha256
def many_files(tree):
    for i in range(5000):
        write(f"{tree}/many/{i % 50}/{i}", b"%d" % i)
    done = check_sums(tree, "many")
    assert done.stdout.count(b"\n") == 5000
    figures = bench_json(tree, *QUICK, "many")["cpu_bound"]
    assert figures["files"] == 5000 and figures["equal"], figures
    assert figures["bytes"] == sum(len(str(i)) for i in range(5000)), figures


@needs_sha256
def sums_of_nothing(tree):
    os.mkdir(tree + "/empty")
    assert check_sums(tree, "empty").stdout == b""
