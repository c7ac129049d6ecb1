# SPDX-License-Identifier: MIT
"""`hocket serve`: what well-behaved clients get."""
import email.utils
import os
import shutil
import socket
import subprocess
import time
import urllib.parse

from serving import Server, ask, read_all, serve_test, statuses
from support import run, test, write


@serve_test
def files_and_their_heads(tree):
    with Server(tree) as server:
        answer = server.ask("/a.txt")
        assert answer.status == 200 and answer.body == b"hello\n" and answer.version == 11
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["Accept-Ranges"] == "bytes"
        stat = os.stat(tree + "/a.txt")
        assert answer.headers["ETag"] == f'"{stat.st_mtime_ns:x}-{stat.st_size:x}-{stat.st_ino:x}"'
        changed = email.utils.parsedate_to_datetime(answer.headers["Last-Modified"])
        assert changed.timestamp() == int(stat.st_mtime)
        now = email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp()
        assert abs(now - time.time()) < 5
        assert server.ask("/folder/b.html").headers["Content-Type"] == "text/html; charset=utf-8"
        assert server.ask("/empty").headers["Content-Length"] == "0"
        assert server.ask("/big").body == bytes(range(256)) * 4000
        assert server.ask("/nothing").status == 404
        assert server.ask("/a.txt/").status == server.ask("/a.txt/x").status == 404
    assert server.said.startswith(f"hocket: serving {os.path.realpath(tree)} on http://127.0.0.1:")
    assert server.errors == b""


@serve_test
def files_of_every_size(tree):
    sizes = [0, 1, 2, 4095, 4096, 16383, 16384, 16385, 24 * 1024, 40 * 1024, 65536, 100_000,
             1 << 20, (3 << 20) + 7]
    for size in sizes:
        write(f"{tree}/{size}", os.urandom(size))
    with Server(tree) as server:
        client = server.http()
        for size in sizes + sizes[::-1]:
            with open(f"{tree}/{size}", "rb") as file:
                assert ask(client, f"/{size}").body == file.read(), size
        client.close()


@serve_test
def head_is_get_without_the_body(tree):
    with Server(tree) as server:
        client = server.http()
        for path in ("/a.txt", "/big", "/folder/", "/folder", "/nothing", "/empty"):
            get, head = ask(client, path), ask(client, path, "HEAD")
            assert head.status == get.status and head.body == b"", path
            for name in ("Content-Length", "Content-Type", "ETag", "Location"):
                assert head.headers[name] == get.headers[name], (path, name)
            assert int(head.headers["Content-Length"]) == len(get.body)
        client.close()


@serve_test
def folders_are_listed(tree):
    for name in ("z", "B", "<b>&amp;\"'", "umlaut ä", "per%cent", "q?#", "a:b"):
        write(f"{tree}/list/{name}", b"x")
    os.makedirs(tree + "/list/zz folder")
    write(os.fsencode(tree) + b"/list/\xff\n", b"x")
    write(tree + "/list/.not", b"x")
    os.symlink("/etc/passwd", tree + "/list/leads out")
    os.symlink("../a.txt", tree + "/list/stays in")
    os.mkfifo(tree + "/list/pipe")
    with Server(tree) as server:
        answer = server.ask("/list/")
        page = answer.body.decode()
        assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/html")
        names = [line.split('href="./')[1].split('"')[0] for line in page.splitlines()
                 if 'href="./' in line]
        assert names[0] == "zz%20folder/"
        assert names[1:] == sorted(names[1:], key=urllib.parse.unquote_to_bytes)
        assert set(names) == {"zz%20folder/", "z", "B", "%3Cb%3E%26amp%3B%22%27", "umlaut%20%C3%A4",
                              "per%25cent", "q%3F%23", "a%3Ab", "%FF%0A", "stays%20in"}, names
        assert "<b>" not in page and "&#60;b&#62;&#38;amp;&#34;&#39;" in page and "\ufffd" in page
        for name in names[1:]:
            assert server.ask("/list/" + name).body in (b"x", b"hello\n"), name
        assert 'href="../"' in page and 'href="../"' not in server.ask("/").body.decode()
        assert server.ask("/list/", "HEAD").headers["Content-Length"] == str(len(answer.body))
        assert server.ask("/with%20index/").body == b"<p>index</p>"


@serve_test
def folders_get_their_slash(tree):
    with Server(tree) as server:
        for path, location in (("/folder", "/folder/"), ("//folder", "/folder/"),
                               ("/folder?x=1&y", "/folder/?x=1&y"),
                               ("/with%20index", "/with%20index/"), ("/./folder", "/folder/"),
                               ("//folder//.//", None), ("http://other/folder", "/folder/")):
            answer = server.ask(path)
            assert answer.status == (301 if location else 200), (path, answer.status)
            assert answer.headers["Location"] == location, path
        os.makedirs(tree + "/example.org/x")
        assert server.ask("//example.org/x").headers["Location"] == "/example.org/x/"


@serve_test
def nothing_outside_is_served(tree):
    outside = tree + "-outside"
    write(outside + "/secret", b"secret")
    os.symlink(outside + "/secret", tree + "/absolute")
    os.symlink("../" + os.path.basename(outside), tree + "/up")
    os.symlink("folder/../../" + os.path.basename(outside) + "/secret", tree + "/around")
    os.symlink("self", tree + "/self")
    os.symlink("folder/b.html", tree + "/inside")
    os.symlink("../a.txt", tree + "/folder/back")
    try:
        with Server(tree) as server:
            for path in ("/absolute", "/up/secret", "/up/", "/around", "/self", "/.hidden/secret",
                         "/folder/%2e%2e/a.txt", "/folder/../a.txt", "/../a.txt", "/..",
                         "/%2e%2e/%2e%2e/etc/passwd", "/folder/%2e./a.txt", "/a%00.txt", "/%00",
                         "/folder%2fb.html", "/%2fetc%2fpasswd", "//etc/passwd", "/.hidden/",
                         "/./.hidden/secret", "/%2ehidden/secret", "/..%5c..%5cetc/passwd"):
                answer = server.ask(path)
                assert answer.status in (400, 404) and b"secret" not in answer.body, (
                    path, answer.status, answer.body)
            assert server.ask("/inside").body == b"<p>b</p>"
            assert server.ask("/folder/back").body == b"hello\n"
        with Server(tree, "--hidden") as server:
            assert server.ask("/.hidden/secret").body == b"secret"
            assert b".hidden" in server.ask("/").body
            assert server.ask("/.hidden/../a.txt").status == 400
    finally:
        shutil.rmtree(outside)


@serve_test
def what_is_no_file_is_not_opened(tree):
    os.mkfifo(tree + "/pipe")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(tree + "/socket")
        with Server(tree) as server:
            assert server.ask("/pipe").status == server.ask("/socket").status == 404
            assert server.ask("/a.txt").status == 200


@serve_test
def conditions(tree):
    old = 1_000_000_000
    os.utime(tree + "/a.txt", (old, old))
    before, then, later = (email.utils.formatdate(old + d, usegmt=True) for d in (-1, 0, 1))
    with Server(tree) as server:
        client = server.http()
        tag = ask(client, "/a.txt").headers["ETag"]
        cases = [({"If_None_Match": tag}, 304), ({"If_None_Match": "W/" + tag}, 304),
                 ({"If_None_Match": "*"}, 304), ({"If_None_Match": '"x", ' + tag + ',"y"'}, 304),
                 ({"If_None_Match": '"x"'}, 200), ({"If_None_Match": tag[:-1]}, 200),
                 ({"If_None_Match": '"x"', "If_Modified_Since": later}, 200),
                 ({"If_None_Match": '",' + tag}, 200), ({"If_None_Match": ""}, 200),
                 ({"If_Modified_Since": then}, 304), ({"If_Modified_Since": later}, 304),
                 ({"If_Modified_Since": before}, 200), ({"If_Modified_Since": "yesterday"}, 200),
                 ({"If_Modified_Since": "Sunday, 09-Sep-01 01:46:40 GMT"}, 304),
                 ({"If_Modified_Since": "Sun Sep  9 01:46:40 2001"}, 304),
                 ({"If_Match": tag}, 200), ({"If_Match": "*"}, 200), ({"If_Match": '"x"'}, 412),
                 ({"If_Match": "W/" + tag}, 412), ({"If_Unmodified_Since": then}, 200),
                 ({"If_Unmodified_Since": before}, 412)]
        for headers, status in cases:
            for method in ("GET", "HEAD"):
                answer = ask(client, "/a.txt", method, **headers)
                assert answer.status == status, (headers, answer.status)
                if status == 304:
                    assert answer.headers["ETag"] == tag and answer.body == b""
        client.close()
        write(tree + "/a.txt", b"HELLO\n")
        assert server.ask("/a.txt", If_None_Match=tag).status == 200


@serve_test
def ranges(tree):
    data = bytes(range(256)) * 4000
    size = len(data)
    with Server(tree) as server:
        client = server.http()
        for text, part in (("bytes=0-0", data[:1]), ("bytes=0-99", data[:100]),
                           ("bytes=100-", data[100:]), ("bytes=-1", data[-1:]),
                           ("bytes=-20000", data[-20000:]), ("BYTES=5-6", data[5:7]),
                           (f"bytes=-{size}", data), (f"bytes=-{10 * size}", data),
                           (f"bytes={size - 1}-", data[-1:]), (f"bytes=7-{10 * size}", data[7:]),
                           ("bytes=1-99999999999999999999999999", data[1:])):
            answer = ask(client, "/big", Range=text)
            begin = size - len(part) if "=-" in text else int(text.split("=")[1].split("-")[0])
            assert answer.status == 206 and answer.body == part, text
            assert answer.headers["Content-Range"] == (
                f"bytes {begin}-{begin + len(part) - 1}/{size}"), text
        for text in (f"bytes={size}-", f"bytes={10 * size}-{11 * size}", "bytes=-0",
                     "bytes=99999999999999999999999999-"):
            answer = ask(client, "/big", Range=text)
            assert answer.status == 416, text
            assert answer.headers["Content-Range"] == f"bytes */{size}"
        for text in ("bytes=2-1", "bytes=", "bytes=-", "bytes=x-", "bytes=1", "bytes=1-2-3",
                     "bytes=0-1,3-4", "bytes=0-0,-1", "lines=1-2", "bytes =1-2", "bytes=1 -2", ""):
            answer = ask(client, "/big", Range=text)
            assert answer.status == 200 and answer.body == data, text
        assert ask(client, "/big", "HEAD", Range="bytes=0-0").status == 200
        assert ask(client, "/empty", Range="bytes=0-").status == 416
        assert ask(client, "/empty", Range="bytes=-5").status == 200
        client.close()


@serve_test
def ranges_of_the_file_that_was_meant(tree):
    old = 1_000_000_000
    os.utime(tree + "/big", (old, old))
    then, later = (email.utils.formatdate(old + d, usegmt=True) for d in (0, 1))
    with Server(tree) as server:
        tag = server.ask("/big", "HEAD").headers["ETag"]
        for validator, status in ((tag, 206), ("W/" + tag, 200), ('"x"', 200), (then, 206),
                                  (later, 200), ("nonsense", 200)):
            answer = server.ask("/big", Range="bytes=1-2", If_Range=validator)
            assert answer.status == status, validator
        write(tree + "/new", b"0123456789")
        then = email.utils.formatdate(os.stat(tree + "/new").st_mtime, usegmt=True)
        assert server.ask("/new", Range="bytes=1-2", If_Range=then).status == 200


@serve_test
def other_methods(tree):
    with Server(tree) as server:
        for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"):
            answer = server.ask("/a.txt", method)
            assert answer.status == 405 and answer.headers["Allow"] == "GET, HEAD, OPTIONS"
            assert answer.headers["Connection"] == "close"
        for path in ("/a.txt", "*", "/nothing"):
            answer = server.ask(path, "OPTIONS")
            assert answer.status == 204 and answer.headers["Allow"] == "GET, HEAD, OPTIONS", path
        put = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 100_000
        assert statuses(server.raw(put)) == [405]
        assert statuses(server.raw(b"NONSENSE / HTTP/1.1\r\nHost: x\r\n\r\n")) == [501]


@serve_test
def connections_are_kept_as_the_client_wishes(tree):
    get = b"GET /a.txt HTTP/1.%d\r\nHost: x\r\n%s\r\n"
    last = get % (1, b"Connection: close\r\n")
    with Server(tree) as server:
        for request, count in ((get % (1, b""), 2), (get % (0, b""), 1),
                               (get % (1, b"Connection: close\r\n"), 1),
                               (get % (1, b"Connection: keep-alive, CLOSE\r\n"), 1),
                               (get % (1, b"connection: x\r\nConnection: close\r\n"), 1),
                               (get % (0, b"Connection: Keep-Alive\r\n"), 2),
                               (get % (1, b"Connection: closed\r\n"), 2),
                               (b"\r\n\r\n" + get % (1, b""), 2)):
            data = server.raw(request + last)
            assert statuses(data) == [200] * count, (request, data)
            assert (b"onnection: close" in data), request
        client = server.http()
        for _ in range(100):
            assert ask(client, "/a.txt").body == b"hello\n"
        client.close()


@serve_test
def requests_come_in_any_pieces(tree):
    paths = [b"/a.txt", b"/big", b"/nothing", b"/folder/", b"/empty", b"/folder"] * 20
    data = b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in paths)
    data += b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    expected = [200, 200, 404, 200, 200, 301] * 20 + [200]
    with Server(tree) as server:
        for pieces in (1, 2, 3, 7, 50, 1000):
            with server.connect() as client:
                size = len(data) // pieces + 1
                for i in range(0, len(data), size):
                    client.sendall(data[i:i + size])
                assert statuses(read_all(client)) == expected, pieces
    assert len(server.log) == 6 * len(expected)


@serve_test
def bodies_are_dropped(tree):
    chunks = b"5\r\nGET /\r\n3;x=y\r\nabc\r\n0\r\nTrailer: x\r\n\r\n"
    again = b"GET /empty HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    get = b"GET /a.txt HTTP/1.1\r\nHost: x\r\n"
    with Server(tree) as server:
        for pieces in (1, 3, 200):
            for request in (get + b"Content-Length: 30\r\n\r\n"
                            + b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n",
                            get + b"Content-Length: 0\r\n\r\n",
                            get + b"Transfer-Encoding: chunked\r\n\r\n" + chunks,
                            get + b"Content-Length: 100000\r\n\r\n" + b"x" * 100000):
                data = server.raw(request + again, pieces)
                assert statuses(data) == [200, 200] and b"hello\n" in data, (request[:99], data)
        data = server.raw(get + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert statuses(data) == [200] and b"Connection: close" in data
        assert statuses(server.raw(get + b"Content-Length: 9999999\r\n\r\n")) == [413]
        many = get + b"Transfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" + b"x" * 65536 + b"\r\n"
        assert statuses(server.raw(many + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 31)) == [413]
        assert statuses(server.raw(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
                                   + again)) == [405]


@serve_test
def the_log(tree):
    with Server(tree) as server:
        server.ask("/a.txt")
        server.ask("/big", Range="bytes=0-9")
        server.ask("/a.txt", "HEAD")
        server.raw(b'GET /"\\ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
        server.raw(b"\x16\x03\x01\x02\x00\r\n\r\n")
    ends = ['"GET /a.txt HTTP/1.1" 200 6', '"GET /big HTTP/1.1" 206 10',
            '"HEAD /a.txt HTTP/1.1" 200 0', '"GET /\\"\\\\ HTTP/1.1" 404 14',
            '"\\x16\\x03\\x01\\x02\\x00" 400 16']
    assert len(server.log) == len(ends), server.log
    for line, end in zip(server.log, ends):
        assert line.startswith("127.0.0.1 - - [") and line.endswith("] " + end), (line, end)
        time.strptime(line.split("[")[1].split("]")[0], "%d/%b/%Y:%H:%M:%S %z")
    with Server(tree, "--quiet") as server:
        assert server.ask("/a.txt").status == 200
    assert server.log == []


@serve_test
def tls(tree):
    subprocess.run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                   "-keyout key.pem -out cert.pem -subj /CN=localhost "
                   "-addext subjectAltName=DNS:localhost".split(), cwd=tree, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    cert, key = tree + "/cert.pem", tree + "/key.pem"
    with open(tree + "/both.pem", "wb") as both:
        for name in (cert, key):
            with open(name, "rb") as file:
                both.write(file.read())
    for options in (("--tls-cert", cert, "--tls-key", key), ("--tls-cert", tree + "/both.pem")):
        with Server(tree, *options) as server:
            assert "on https://127.0.0.1:" in server.said
            client = server.https(cert)
            for _ in range(3):
                assert ask(client, "/a.txt").body == b"hello\n"
                assert ask(client, "/big").body == bytes(range(256)) * 4000
                assert ask(client, "/big", Range="bytes=-5").status == 206
            client.close()
            assert b"HTTP/1.1 200" not in server.raw(b"GET / HTTP/1.0\r\n\r\n")
    for options, word in ((("--tls-cert", tree + "/none.pem"), b"none.pem"),
                          (("--tls-cert", tree + "/a.txt"), b"a.txt")):
        done = run("serve", "--port", "0", *options, tree)
        assert done.returncode == 1 and word in done.stderr, done


@test
def serve_help(_):
    done = run("serve", "--help")
    assert done.returncode == 0 and done.stderr == b"" and b"--tls-cert" in done.stdout
    assert done.stdout in run("--help").stdout and run("serve", "-h").stdout == done.stdout
    assert max(map(len, done.stdout.decode().splitlines())) <= 80


@test
def serve_mistakes(tree):
    for args, near in ((["--prot", "1"], "--port"), (["--hiden"], "--hidden"),
                       (["--tls-crt=x"], "--tls-cert")):
        done = run("serve", *args)
        assert done.returncode == 2 and f"did you mean '{near}'?" in done.stderr.decode(), done
    for args in (["--port", "65536"], ["--port", "-1"], ["--port", "http"], ["--port"],
                 ["--port", ""], ["--timeout", "0"], ["--timeout", "x"], ["--max-clients", "0"],
                 ["--quiet=1"],
                 ["--tls-key", "x"], ["a", "b"], ["-p", "80"]):
        done = run("serve", *args, cwd=tree)
        assert done.returncode == 2 and done.stdout == b"", (args, done)
        assert done.stderr.count(b"\n") == 1 and done.stderr.startswith(b"hocket serve: "), done


@serve_test
def what_cannot_be_served(tree):
    for name in ("nothing", "a.txt"):
        done = run("serve", "--port", "0", name, cwd=tree)
        assert done.returncode == 1 and name.encode() in done.stderr, done
    with Server(tree) as server:
        done = run("serve", "--port", str(server.port), tree)
        assert done.returncode == 1 and str(server.port).encode() in done.stderr, done
    done = run("serve", "--port", "0", "--bind", "no-such-host.invalid", tree)
    assert done.returncode == 1 and b"no-such-host.invalid" in done.stderr, done
