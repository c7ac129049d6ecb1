# SPDX-License-Identifier: MIT
"""`hocket serve`: many clients, few fds, and the end."""
import os
import resource
import signal
import socket
import threading
import time

from serving import Server, ask, children_cpu, read_all, serve_test, statuses, until

GET = b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n"


def read_answer(client):
    """One answer with its body, and no more than that: its status."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = client.recv(65536)
        assert part, data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += client.recv(65536)
    assert len(body) == length
    return int(head[9:12])


def room_for(fds):
    """So many fds, in this process and those that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < fds <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (fds, hard))


@serve_test
def five_hundred_connections(tree):
    room_for(2048)
    with Server(tree, "--max-clients", "1000") as server:
        clients = [server.connect() for _ in range(500)]
        for _ in range(5):
            for client in clients:
                client.sendall(GET)
            for client in clients:
                assert read_answer(client) == 200
        for client in clients:
            client.close()
    assert len(server.log) == 2500 and server.errors == b""


@serve_test
def many_at_once(tree):
    with open(tree + "/big", "rb") as file:
        big = file.read()
    failures = []

    def work(server):
        try:
            client = server.http()
            for i in range(60):
                begin = i * 997
                answer = ask(client, "/big", Range=f"bytes={begin}-{begin + 300_000}")
                assert answer.status == 206 and answer.body == big[begin:begin + 300_001]
                assert ask(client, "/a.txt").body == b"hello\n"
                assert ask(client, "/folder/").status == 200
            client.close()
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)

    with Server(tree) as server:
        threads = [threading.Thread(target=work, args=(server,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures, failures
    assert len(server.log) == 8 * 180


@serve_test
def few_fds_and_many_clients(tree):
    with Server(tree, prefix=("sh", "-c", 'ulimit -n 64; exec "$0" "$@"')) as server:
        clients = [server.connect() for _ in range(200)]
        for client in clients:
            client.sendall(GET)
        answers = [statuses(read_all(client)) if i < 150 else [read_answer(client)]
                   for i, client in enumerate(clients)]
        assert answers == [[200]] * 200, answers
        for client in clients:
            client.close()
        assert server.ask("/a.txt").status == 200
    assert server.errors == b"", server.errors


@serve_test
def idle_clients_make_place(tree):
    with Server(tree, "--max-clients", "4") as server:
        idle = [server.connect() for _ in range(20)]
        assert server.ask("/a.txt").status == 200
        for client in idle:
            client.close()


@serve_test
def waiting_for_clients_uses_no_processor(tree):
    before = children_cpu()
    with Server(tree) as server:
        with server.connect() as client:
            client.sendall(GET)
            assert read_answer(client) == 200
            time.sleep(2)
    assert children_cpu() - before < 0.5


def download_when_signalled(tree, signals, wait, status=0):
    """A download is under way when the server is told to stop. How many bytes of it came, of how
    many, and how long the server took."""
    size = 64 << 20
    with open(tree + "/huge", "wb") as file:
        file.truncate(size)
    with Server(tree, status=status) as server:
        idle, client = server.connect(), server.connect()
        idle.sendall(GET)
        assert read_answer(idle) == 200
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.sendall(b"GET /huge HTTP/1.1\r\nHost: x\r\n\r\n")
        got = len(client.recv(65536))
        begun = time.monotonic()
        for signo in signals:
            server.tell(signo)
            assert idle.recv(1) == b""  # it was sent away
        until(lambda: refuses(server.port))
        if wait:
            server.process.wait(30)
        got += len(read_all(client))
        server.end()
        taken = time.monotonic() - begun
        idle.close()
        client.close()
    return got, size, taken, server


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), 10).close()
        return False
    except ConnectionRefusedError:
        return True


@serve_test
def downloads_come_to_their_end(tree):
    for signo in (signal.SIGINT, signal.SIGTERM):
        got, size, taken, server = download_when_signalled(tree, [signo], wait=False)
        assert got > size and taken < 5, (got, taken)
        assert server.errors == b"" and server.log[-1].endswith(f"200 {size}"), server.log


@serve_test
def but_not_for_longer_than_the_grace(tree):
    got, size, taken, _ = download_when_signalled(tree, [signal.SIGTERM], wait=True)
    assert got < size and 5 <= taken < 15, (got, taken)


@serve_test
def the_second_signal_ends_it_at_once(tree):
    got, size, taken, _ = download_when_signalled(tree, [signal.SIGINT, signal.SIGINT], wait=True)
    assert got < size and taken < 4, (got, taken)


@serve_test
def a_request_that_comes_with_the_signal(tree):
    """Whatever comes while it stops is answered, or closed; never half."""
    for _ in range(20):
        with Server(tree) as server:
            clients = [server.connect() for _ in range(20)]
            server.tell(signal.SIGTERM)
            for client in clients:
                try:
                    client.sendall(GET)
                except OSError:
                    continue
            for client in clients:
                data = read_all(client)
                assert data == b"" or (statuses(data) == [200] and data.endswith(b"hello\n")), data
                client.close()
        assert server.errors == b""


@serve_test
def a_log_that_nobody_reads(tree):
    """More lines than the server and the pipe have room for: it waits, and loses none."""
    count, answered = 800, []

    def work(server):
        line = b"GET /" + b"x" * 1500 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
        with server.connect() as client:
            for _ in range(count):
                client.sendall(line)
                answered.append(read_answer(client))

    with Server(tree) as server:
        thread = threading.Thread(target=work, args=(server,))
        thread.start()
        until(lambda: len(answered) >= 200)
        log = b""
        while log.count(b"\n") < count:
            log += os.read(server.process.stdout.fileno(), 65536)
        thread.join()
    assert answered == [404] * count and server.log == []
