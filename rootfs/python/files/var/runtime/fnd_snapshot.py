"""SnapStart: an initialised runtime becomes an image, and each environment of the version goes on from there.

The image is written by this process itself (_fnd_snapshot, rootfs/snapshot of fnd's sources) to where the Runtime API's connection leads,
and the function's hooks run before and after. What may not be the same in two environments is renewed here.
"""
import _socket
import gc
import os
import sys
import time

from awslambdaric import bootstrap
from awslambdaric.lambda_runtime_client import API

try:
    import _fnd_snapshot
except ImportError:  # an image for a processor that it is not written for
    _fnd_snapshot = None


def _connect(api):
    """Descriptor of the connection, which has become the way for the image."""
    status, _, _ = api.call("POST", API + "snapshot", b"", "Connection: Upgrade\r\nUpgrade: tar\r\n")
    if status != 101:
        raise ConnectionError(f"the Runtime API takes no snapshot: status {status}")
    sock, api.sock = api.sock, None
    return sock.detach()


def _hooks(name):
    module = sys.modules.get("snapshot_restore_py")  # perhaps the function's own copy
    return list(getattr(module, name)()) if module else []


def _fail(exception, log_sink, post, kind, status):
    error = bootstrap.describe(exception)[0]
    bootstrap.log_error(error, log_sink)
    error["errorType"] = kind
    post(error)
    sys.exit(status)


def _given():
    """The environment that this process was begun with."""
    with open("/proc/self/environ", "rb") as f:
        return dict(entry.partition(b"=")[::2] for entry in f.read().split(b"\0"))


def _take_environment(environment, given):
    """What the platform says otherwise than it did then; the rest is as init has left it."""
    for entry in environment.split(b"\0")[:-1]:
        name, _, value = entry.partition(b"=")
        if name.startswith(b"AWS_") and given.get(name) != value:
            os.environb[name] = value


def _renew():
    """Nobody's random numbers are another's. (The seed of str's hashes stays: it cannot change while there are dictionaries.)"""
    def modules(name, has):
        """None also for one of the function's own that only has the name."""
        module = sys.modules.get(name)
        return module if hasattr(module, has) else None
    if random := modules("random", "seed"):
        random.seed()
    if tempfile := modules("tempfile", "_name_sequence"):
        tempfile._name_sequence = None
    if uuid := modules("uuid", "_random_getnode"):
        uuid._node, uuid._last_timestamp = uuid._random_getnode(), None
        uuid._generate_time_safe = None  # libuuid's: it keeps its node and its sequence to itself
    if ssl := modules("_ssl", "RAND_add"):
        ssl.RAND_add(os.urandom(48), 48.0)
    if numpy := modules("numpy.random", "seed"):
        numpy.seed()


def _rehearse(client, given):
    """In a child that nobody hears of: what comes after the image, up to the answer to a first event, but for what is the function's."""
    environment = b"".join(b"%s=%s\0" % (name, value + b" ") for name, value in given.items() if name.startswith(b"AWS_"))
    api = client.api
    api.sock, platform = _socket.socketpair()
    platform.sendall(b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 15\r\n"
                     b"Lambda-Runtime-Aws-Request-Id: 00000000-0000-0000-0000-000000000000\r\nLambda-Runtime-Deadline-Ms: 1\r\n"
                     b"Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:f\r\n"
                     b"Lambda-Runtime-Trace-Id: Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0\r\n\r\n"
                     b'{"key":"value"}HTTP/1.1 202 Accepted\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n')
    _take_environment(environment, given)
    _renew()
    _hooks("get_after_restore")
    e = client.wait_next_invocation()
    bootstrap.update_xray_env_variable(e.x_amzn_trace_id)
    client.ask_ahead = True
    bootstrap.handle_event_request(client, lambda event, context: event, e.invoke_id, e.event_body, e.content_type, e.client_context, e.cognito_identity,
                                   e.invoked_function_arn, e.deadline_time_in_ms, e.tenant_id, None, e.invocation_id)


def _threads():
    return len(os.listdir("/proc/self/task"))


def _let_threads_end():
    """A library that ends its threads before a fork, and begins them anew when it needs them (OpenBLAS does), does so now; what is about to end
    anyway has a second."""
    if _threads() == 1:
        return
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    end = time.monotonic() + 1
    while _threads() != 1 and time.monotonic() < end:
        time.sleep(0.001)


def _before(client, log_sink):
    try:
        for func, args, kwargs in reversed(_hooks("get_before_snapshot")):
            func(*args, **kwargs)
    except Exception as e:
        _fail(e, log_sink, client.post_init_error, "Runtime.BeforeSnapshotError", 64)


def _after(client, log_sink):
    try:
        for func, args, kwargs in _hooks("get_after_restore"):
            func(*args, **kwargs)
    except Exception as e:
        _fail(e, log_sink, client.report_restore_error, "Runtime.AfterRestoreError", 65)


def go_on(client, log_sink):
    """In place of an image, where a plain start is sooner: what the function has registered for one is done, in each process."""
    _before(client, log_sink)
    _after(client, log_sink)


def take(client, log_sink):
    """Returns in every process that is made from the image, and never in the one that it is made of."""
    _before(client, log_sink)
    api = client.api
    _let_threads_end()
    given = _given()
    gc.collect()
    gc.freeze()  # a later collection would write to, and so copy, every page that holds an object
    try:
        if not _fnd_snapshot:
            raise RuntimeError(f"there are no snapshots on {os.uname().machine} yet")
        if bootstrap.is_as_it_came(client):  # else somebody would hear of it
            _fnd_snapshot.rehearse(lambda: _rehearse(client, given))
        fd = _connect(api)
        environment = _fnd_snapshot.save(fd)
    except (RuntimeError, OSError) as e:
        api.call("POST", API + "snapshot/refused", str(e).encode(), "Content-Type: text/plain\r\n")
        os._exit(0)
    if environment is None:
        os._exit(0)
    _take_environment(environment, given)
    _renew()
    _after(client, log_sink)
