"""A function's warm invocations while another one misbehaves: wrong requests to its Runtime API without end, log lines without end, connections without end.
Beside two others of the same turn: a quiet machine, and as many processes of as many environments that only take CPU."""
import concurrent.futures, contextlib, time

import harness, netlab
from common import INVOKE, create, run_json, runtimes, tool, wait_active
from invocations import daemon

CPU = 1769  # MB: the memory with which a function has a CPU

SOURCE = r"""
import os, socket, sys, time

WRONG = b"POST /2018-06-01/runtime/invocation/nobody/response HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}" * 64

def requests(until):
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
    while time.time() < until:
        try:
            with socket.create_connection((host, int(port)), 5) as s:
                s.settimeout(1)
                while time.time() < until:
                    s.sendall(WRONG)
                    while len(s.recv(1 << 20)) == 1 << 20:
                        pass
        except OSError:
            pass  # slowed, or ended

def lines(until):
    out = b"a line that says nothing at all\n" * 100
    while time.time() < until:
        os.write(1, out)

def connections(until):
    s, port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 1024
    while time.time() < until:
        port = port + 1 if port < 65535 else 1024
        try:
            s.sendto(b"x", ("198.51.100.7", port))
        except OSError:
            pass

def cpu(until):
    while time.time() < until:
        pass

def handler(event, context):
    until = time.time() + event["seconds"]
    children = []
    for _ in range(event["processes"]):
        pid = os.fork()
        if pid == 0:
            globals()[event["do"]](until)
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
"""


def p99(b, prefix, seconds, port):
    """As a caller sees it who is on another machine: this one has its CPU before all else."""
    out = run_json([*prefix, "chrt", "--fifo", "1", tool("load"), "--body", "{}", "--connections", 1, "--slices", 1, "--seconds", seconds, "--target", f"n={port}{INVOKE.format('n')}"])["targets"]["n"]
    if out["errors"]:
        raise RuntimeError(f"the neighbour: {out['error']}")
    return out["slices"][0]["p99_us"]


def beside(b, d, prefix, function, do, environments, processes, seconds):
    """The neighbour's p99 while so many environments of the function do this."""
    if not do:
        return p99(b, prefix, seconds, d.port)
    with concurrent.futures.ThreadPoolExecutor(environments) as pool:
        calls = [pool.submit(d.invoke, function, {"do": do, "processes": processes, "seconds": seconds + 3}) for _ in range(environments)]
        time.sleep(1.5)  # they are at it
        took = p99(b, prefix, seconds, d.port)
        for c in calls:
            c.result()  # how it ended is its own affair
    return took


def measure(b, d, prefix, cases):
    rounds, seconds = (1, 0.5) if b.quick else (7, 2)
    create(d, "n", runtimes(d)["native"])
    memories = sorted({memory for *_, memory in cases})
    for memory in memories:
        d.create_python(f"bad-{memory}", SOURCE, Timeout=60, MemorySize=memory)
    wait_active(d, ["n", *(f"bad-{memory}" for memory in memories)])
    for name, what, do, environments, processes, memory in cases:
        b.say(f"warm invocations beside {what}")
        quiet, busy, during = [], [], []
        for i in range(rounds + 1):
            for into, kind in ((quiet, None), (busy, "cpu"), (during, do)):
                took = beside(b, d, prefix, f"bad-{memory}", kind, environments, processes, seconds)
                if i > 0 or b.quick:  # the first is warm-up
                    into.append([took])
        name = f"warm_p99_beside_{name}_us"
        b.figure(name, during, what=f"{environments} environments of {memory} MB and {processes} processes each: {what}")
        b.peer(name, "quiet", quiet, aim=2)
        b.peer(name, "as many that only take CPU", busy, aim=2)


@contextlib.contextmanager
def nat_daemon():
    """In network namespaces of its own, as the tests have them."""
    class Lab(netlab.NatCase):
        def runTest(self):
            pass
    Lab.setUpClass()
    case = Lab()
    try:
        d = harness.Daemon({"log": {"level": "warn"}, **case.config()}, images=harness.BASIC, netns=netlab.HOST)
        d.start()
        try:
            d.images_installed()
            yield d
        finally:
            d.remove()
    finally:
        case.doCleanups()
        Lab.doClassCleanups()


def neighbours(b):
    with daemon({"account_concurrency": 100}) as d:
        measure(b, d, [], [("requests", "wrong requests to the Runtime API", "requests", 4, 16, CPU), ("lines", "log lines", "lines", 4, 4, CPU)])
    reason = netlab.why_not()
    if reason:
        b.note(f"connections: {reason}")
        return
    with nat_daemon() as d:
        measure(b, d, ["nsenter", f"--net=/run/netns/{netlab.HOST}"], [
            ("connections", "connections to the world", "connections", 68, 1, 128),  # as whoever found it had them
            ("connections_cpu", "connections to the world, with all of the CPU", "connections", 4, 2, CPU)])
