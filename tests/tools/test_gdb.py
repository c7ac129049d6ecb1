# SPDX-License-Identifier: MIT
"""tools/hocket-gdb.py: gdb lists the strands of a program that stopped.

The environment says where a build tree is: HOCKET_BUILD."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from trees import TOOLS, main

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAM = None


def skip(reason):
    print(f"skipped: {reason}\n0 passed, 0 failed, 1 skipped")
    if os.environ.get("HOCKET_TEST_SUMMARY"):
        with open(os.environ["HOCKET_TEST_SUMMARY"], "a", encoding="utf-8") as summary:
            summary.write("0 passed, 0 failed, 1 skipped\n")


def build(folder):
    program = pathlib.Path(folder) / "program"
    library = pathlib.Path(os.environ["HOCKET_BUILD"]) / "lib" / "libhocket.a"
    subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-O1", "-g", f"-I{ROOT}/include",
                    HERE / "gdb_program.c", library, "-lpthread", "-o", program], check=True)
    return program


def gdb(*commands):
    """What gdb prints for these commands, after those that bring the program to its end."""
    line = ["gdb", "-nx", "-q", "-batch", "-ex", f"source {TOOLS}/hocket-gdb.py"]
    for command in commands:
        line += ["-ex", command]
    done = subprocess.run([*line, PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True, timeout=300)
    return done.stdout


STOPPED = ("break everything_waits", "run")


def section(output, heading):
    """The lines below the one that matches: the frames."""
    found = re.search(rf"^{heading}$\n((?:    #.*\n)*)", output, re.M)
    assert found, f"no {heading!r} in: {output}"
    return found.group(1)


def parked_strand():
    output = gdb(*STOPPED, "hocket strands")
    frames = section(output, r'strand 0x\w+ on "diggers-1": waits for future 0x\w+')
    assert re.search(r"#\d+ +hkt_future_finish at ", frames), output
    assert re.search(r"#\d+ +wait_for_the_future at .*gdb_program.c:\d+\n", frames), output
    assert "wait_for_the_event" not in frames, output


def strand_of_a_sleeping_thread():
    output = gdb(*STOPPED, "hocket strands")
    section(output, r'strand 0x\w+ on "diggers-1": waits for event 0x\w+ .*')
    assert "wait_for_the_event" in section(output, r'thread "diggers-1" \d+: waits for .*'), output


def thread_that_runs():
    output = gdb(*STOPPED, "hocket strands")
    assert "everything_waits" in section(output, r'thread "main" \d+: runs'), output


def brief():
    output = gdb(*STOPPED, "hocket strands brief")
    assert section(output, r'strand 0x\w+ on "diggers-1": waits for future 0x\w+') == "", output
    assert "Python Exception" not in output, output


def the_frame_stays():
    output = gdb(*STOPPED, "up", "hocket strands brief", "frame")
    assert re.search(r"^#1 .* in main ", output.split("strand")[-1], re.M), output


def no_program():
    assert "there is no program" in gdb("hocket strands")


def wrong_argument():
    assert "hocket strands [brief]" in gdb("hocket strands long")


if shutil.which("gdb") is None:
    skip("gdb is not installed")
else:
    with tempfile.TemporaryDirectory() as place:
        PROGRAM = build(place)
        main({
            "a parked strand has its own frames": parked_strand,
            "a strand on which its thread sleeps": strand_of_a_sleeping_thread,
            "a thread that runs": thread_that_runs,
            "brief has no frames": brief,
            "the selected frame stays": the_frame_stays,
            "without a program": no_program,
            "a wrong argument": wrong_argument,
        })
