# SPDX-License-Identifier: MIT
"""`hocket serve`: clients that mean no good, or do not know better."""
import socket
import time

from serving import Server, ask, read_all, serve_test, statuses, until

GET = b"GET /a.txt HTTP/1.1\r\nHost: x\r\n"
CHUNKED = GET + b"Transfer-Encoding: chunked\r\n\r\n"

# What is refused, and by which status. Behind each follows a request that must not be answered.
REFUSED = [
    # the first line
    (b"GET /a.txt\r\n\r\n", 400),
    (b"GET\r\n\r\n", 400),
    (b"GET  /a.txt HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /a.txt  HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /a.txt HTTP/1.1 \r\nHost: x\r\n\r\n", 400),
    (b" GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET\t/a.txt\tHTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /a\x00b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /a\x7fb HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET a.txt HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET ?a HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /#x HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /% HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /%2 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /%g0 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /a.txt HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    (b"GET /a.txt HTTP/0.9\r\nHost: x\r\n\r\n", 505),
    (b"GET /a.txt HTTP/1.9\r\nHost: x\r\n\r\n", 505),
    (b"GET /a.txt HTTP/1\r\nHost: x\r\n\r\n", 400),
    (b"GET /a.txt HTTP/1.10\r\nHost: x\r\n\r\n", 400),
    (b"GET /a.txt http/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /a.txt HTTPS/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /a.txt ICE/1.0\r\nHost: x\r\n\r\n", 400),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    (b"G=T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"get /a.txt HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    (b"GET /a.txt HTTP/1.1\nHost: x\n\n", 400),
    (b"GET /a.txt HTTP/1.1\r\nHost: x\n\r\n", 400),
    (b"GET /a.txt HTTP/1.1\rHost: x\r\n\r\n", 400),
    (b"\nGET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"\r\n" * 5 + b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    (b"x" * 9000, 414),
    # the fields
    (b"GET /a.txt HTTP/1.1\r\n\r\n", 400),
    (b"GET /a.txt HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
    (b"GET /a.txt HTTP/1.1\r\nHost: x/y\r\n\r\n", 400),
    (b"GET /a.txt HTTP/1.1\r\nHost: x y\r\n\r\n", 400),
    (b"GET /a.txt HTTP/1.1\r\nHost: u@x\r\n\r\n", 400),
    (b"GET /a.txt HTTP/1.1\r\n Host: x\r\n\r\n", 400),
    (GET + b"X : y\r\n\r\n", 400),
    (GET + b"X\t: y\r\n\r\n", 400),
    (GET + b"X\r\n\r\n", 400),
    (GET + b": y\r\n\r\n", 400),
    (GET + b"X: y\r\n folded\r\n\r\n", 400),
    (GET + b"X: y\r\n\tfolded\r\n\r\n", 400),
    (GET + b"X: a\x00b\r\n\r\n", 400),
    (GET + b"X: a\rb\r\n\r\n", 400),
    (GET + b"X: a\x1bb\r\n\r\n", 400),
    (GET + b"X(y): z\r\n\r\n", 400),
    (GET + b"X\xe9: z\r\n\r\n", 400),
    (GET + b"X: y\n\r\n", 400),
    (GET + b"X: y\r\r\n\r\n", 400),
    (GET + b"Expect: 200-ok\r\n\r\n", 417),
    (GET + b"X: y\r\n" * 100 + b"\r\n", 431),
    (GET + b"X: " + b"y" * 17000 + b"\r\n\r\n", 431),
    (GET + b"x" * 17000, 431),
    # the length
    (GET + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (GET + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    (GET + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n12345", 400),
    (GET + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345", 400),
    (GET + b"Content-Length: 5, 5\r\n\r\n12345", 400),
    (GET + b"Content-Length: -5\r\n\r\n", 400),
    (GET + b"Content-Length: +5\r\n\r\n12345", 400),
    (GET + b"Content-Length: 0x5\r\n\r\n12345", 400),
    (GET + b"Content-Length: 5 \t5\r\n\r\n12345", 400),
    (GET + b"Content-Length:\r\n\r\n", 400),
    (GET + b"Content-Length: 99999999999999999999999\r\n\r\n", 400),
    (GET + b"Content-Length: 18446744073709551616\r\n\r\n", 400),
    (GET + b"Content-Length: 999999999999999999\r\n\r\n", 413),
    (GET + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    (GET + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501),
    (GET + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    (GET + b"Transfer-Encoding: identity\r\n\r\n", 501),
    (GET + b"Transfer-Encoding:\r\n\r\n", 501),
    (GET + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n", 400),
    (b"GET /a.txt HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    # the chunks
    (CHUNKED + b"x\r\n\r\n", 400),
    (CHUNKED + b"-1\r\n\r\n", 400),
    (CHUNKED + b"0x5\r\n12345\r\n0\r\n\r\n", 400),
    (CHUNKED + b"5\n12345\r\n0\r\n\r\n", 400),
    (CHUNKED + b"5\r\n12345\n0\r\n\r\n", 400),
    (CHUNKED + b"5\r\n12345X0\r\n\r\n", 400),
    (CHUNKED + b"5\r\n123456\r\n0\r\n\r\n", 400),
    (CHUNKED + b"5 \r\n12345\r\n0\r\n\r\n", 400),
    (CHUNKED + b" 5\r\n12345\r\n0\r\n\r\n", 400),
    (CHUNKED + b"\r\n5\r\n12345\r\n0\r\n\r\n", 400),
    (CHUNKED + b"5;x\n\r\n12345\r\n0\r\n\r\n", 400),
    (CHUNKED + b"ffffffffffffffffff\r\n", 400),
    (CHUNKED + b"0\r\nX : y\r\n\r\n", 400),
    (CHUNKED + b"0\r\nX: y\n\r\n", 400),
    (CHUNKED + b"0\n\n", 400),
    (CHUNKED + b"0\r\n\n", 400),
    (CHUNKED + b"0\r\nX: y\r\n z\r\n\r\n", 400),
    (CHUNKED + b"0\r\nX\r\n\r\n", 400),
    (CHUNKED + b"0\r\nX: y\r\r\n\r\n", 400),
    (CHUNKED + b"5;x=\x00\r\n12345\r\n0\r\n\r\n", 400),
    (CHUNKED + b"1000000000000000\r\n", 400),
    (CHUNKED + b"0;\r\r\n\r\n", 400),
]


@serve_test
def bad_requests_are_refused(tree):
    behind = b"GET /empty HTTP/1.1\r\nHost: x\r\n\r\n"
    wrong = []
    with Server(tree) as server:
        for request, status in REFUSED:
            for pieces in (1, 20):
                got = statuses(server.raw(request + behind, pieces))
                if got != [status]:
                    wrong.append((request[:100], status, got))
        assert server.ask("/a.txt").status == 200
    assert not wrong, "\n".join(map(str, wrong))
    assert server.errors == b""


@serve_test
def a_good_request_before_a_bad_one_is_answered(tree):
    with Server(tree, "--timeout", "300ms") as server:
        bad = GET + b"X : y\r\n\r\n"
        assert statuses(server.raw(GET + b"\r\n" + bad + GET + b"\r\n")) == [200, 400]
        assert statuses(server.raw(GET + b"\r\n" + b"x")) == [200, 408]


@serve_test
def slow_heads_come_to_an_end(tree):
    with Server(tree, "--timeout", "300ms") as server:
        slow = [server.connect() for _ in range(20)]
        begun = time.monotonic()
        for client in slow:
            client.sendall(b"GET /a.txt HTTP/1.1\r\nHost: x\r\n")
        while slow and time.monotonic() < begun + 30:  # a byte each, now and then
            for client in slow[:]:
                try:
                    client.sendall(b"x")
                    client.settimeout(0.01)
                    data = client.recv(1000)
                except TimeoutError:
                    continue
                except OSError:
                    data = b""
                assert data in (b"", data) and (not data or statuses(data) == [408]), data
                assert time.monotonic() >= begun + 0.3
                slow.remove(client)
                client.close()
            assert server.ask("/a.txt").status == 200
        assert not slow
        with server.connect() as client:  # a body that does not come
            client.sendall(GET + b"Content-Length: 10\r\n\r\n123")
            assert statuses(read_all(client)) == [408]


@serve_test
def silent_clients_are_sent_away(tree):
    with Server(tree, "--timeout", "200ms") as server:
        with server.connect() as silent, server.connect() as once:
            begun = time.monotonic()
            once.sendall(GET + b"\r\n")
            assert read_all(silent) == b"" and statuses(read_all(once)) == [200]
            assert time.monotonic() >= begun + 0.2
    assert len(server.log) == 1


@serve_test
def who_takes_nothing_is_sent_away(tree):
    with open(tree + "/huge", "wb") as file:
        file.truncate(200 << 20)
    with Server(tree, "--timeout", "300ms") as server:
        with server.connect() as client:
            client.sendall(b"GET /huge HTTP/1.1\r\nHost: x\r\n\r\n")
            client.recv(1)
            time.sleep(1)  # it takes nothing for longer than the timeout
            assert len(read_all(client)) < 200 << 20
        with server.connect() as client:  # slow, but it takes some
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            client.sendall(b"GET /huge HTTP/1.1\r\nHost: x\r\nRange: bytes=0-8388607\r\n\r\n")
            got = 0
            while got < 8388608:
                data = client.recv(200_000)
                assert data, got
                got += len(data)
                time.sleep(0.01)


@serve_test
def clients_that_go_away_in_the_middle(tree):
    with open(tree + "/huge", "wb") as file:
        file.truncate(50 << 20)
    with Server(tree) as server:
        for i in range(200):
            with server.connect() as client:
                client.sendall(b"GET /huge HTTP/1.1\r\nHost: x\r\n\r\n" * (1 + i % 3))
                if i % 3 == 0:
                    client.recv(1000)
                if i % 2:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                      b"\x01\x00\x00\x00\x00\x00\x00\x00")
        for part in (b"", b"G", GET, GET + b"Content-Length: 5\r\n\r\n12", CHUNKED + b"5\r\n1"):
            with server.connect() as client:
                client.sendall(part)
        for part in (b"G", GET, GET + b"Content-Length: 5\r\n\r\n12", CHUNKED + b"5\r\n1"):
            with server.connect() as client:
                client.sendall(part)
                client.shutdown(socket.SHUT_WR)
                assert statuses(read_all(client)) in ([], [408], [400]), part
        with server.connect() as client:  # half closed, and yet answered
            client.sendall(GET + b"\r\n" + GET + b"\r\n")
            client.shutdown(socket.SHUT_WR)
            assert statuses(read_all(client)) == [200, 200]
        assert server.ask("/a.txt").status == 200
    assert server.errors == b"", server.errors


@serve_test
def a_file_that_shrinks_meanwhile(tree):
    with open(tree + "/shrinks", "wb") as file:
        file.truncate(100 << 20)
    with Server(tree) as server:
        with server.connect() as client:
            client.sendall(b"GET /shrinks HTTP/1.1\r\nHost: x\r\n\r\n" + GET + b"\r\n")
            client.recv(1)
            with open(tree + "/shrinks", "r+b") as file:
                file.truncate(1000)
            data = read_all(client)
            assert len(data) < 100 << 20 and b"hello" not in data
        until(lambda: server.ask("/a.txt").status == 200)


@serve_test
def files_that_change_are_never_mixed_up(tree):
    with Server(tree) as server:
        client = server.http()
        for turn in range(300):
            body = bytes([turn % 256]) * (1 + 37 * turn)
            with open(tree + "/new", "wb") as file:
                file.write(body)
            answer = ask(client, "/a.txt" if turn % 5 == 0 else "/new")
            assert answer.body in (body, b"hello\n")
        client.close()
