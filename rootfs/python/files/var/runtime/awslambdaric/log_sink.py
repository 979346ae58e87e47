"""Where the function's output goes: descriptor 1, a pipe of which each line becomes an event of the log.

What is printed is written at once, or a timeout, os._exit or the end for memory would lose it, and what children print would overtake it. A record
of the logging module, and an error's traceback, is one event however many lines it has: within it a line ends with a carriage return, and before it are
two bytes that no text has, for something may have been printed without a newline.
"""
import io
import os
import sys
import time

JSON_TIME = "%Y-%m-%dT%H:%M:%SZ"


def json_format():
    return os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"


def _rest(fd, data, n):
    """Writes what a write that took n bytes has left; n None: none, for some child has made the pipe non-blocking, and it is full."""
    import select

    left = memoryview(data)[n or 0:]
    while left:
        select.select([], [fd], [])
        try:
            left = left[os.write(fd, left):]
        except BlockingIOError:
            pass


_write = io.FileIO.write


class _Descriptor(io.FileIO):
    """Unbuffered, and never short."""

    def write(self, data):
        n = _write(self, data)
        if n != len(data):
            _rest(self.fileno(), data, n)
        return len(data)

    raw = property(lambda self: self)  # of a buffer that would be there


def unbuffer():
    """sys.stdout and sys.stderr, unless the function has put something else there."""
    for name, fd, mode in (("stdout", 1, "w"), ("stderr", 2, "w")):
        old = getattr(sys, name)
        if old is not getattr(sys, f"__{name}__") or not isinstance(old, io.TextIOWrapper) or isinstance(old.buffer, _Descriptor) or old.fileno() != fd:
            continue
        old.flush()
        raw = _Descriptor(fd, mode, closefd=False)
        raw.name = f"<{name}>"
        new = io.TextIOWrapper(raw, old.encoding, old.errors, write_through=True)
        new.mode = mode
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


class StandardLogSink:
    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc_value, exc_tb):
        pass

    def log(self, msg, frame_type=None):
        """One event, whatever the function did to sys.stdout."""
        if msg.endswith("\n"):
            msg = msg[:-1]
        if "\n" in msg:
            msg = msg.replace("\r\n", "\r").replace("\n", "\r")
        data = b"\xf8\xff" + (msg + "\n").encode("utf-8", "backslashreplace")
        try:
            n = os.write(1, data)
        except BlockingIOError:
            n = None
        except OSError:  # descriptor 1 is the function's to close
            return
        if n != len(data):
            _rest(1, data, n)

    def log_error(self, message_lines):
        self.log("\r".join(message_lines))


class _LoggingFinder:
    """First on sys.meta_path until logging is imported: it is set up at that moment."""

    def __init__(self, log_sink):
        self.log_sink = log_sink

    def find_spec(self, name, path=None, target=None):
        if name != "logging":
            return None
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target) if finder is not self else None
            if spec:
                break
        else:
            return None
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            if self in sys.meta_path:  # not when it was only looked for
                sys.meta_path.remove(self)
            if hasattr(module, "root"):  # a module of the function's own may have taken the name
                _set_up(self.log_sink)

        spec.loader.exec_module = exec_module
        return spec


def _set_up(log_sink):
    from . import lambda_runtime_log_utils

    lambda_runtime_log_utils.set_up(log_sink)


def set_up_logging(log_sink):
    if "logging" in sys.modules:  # by sitecustomize, or by a .pth file
        _set_up(log_sink)
    else:
        sys.meta_path.insert(0, _LoggingFinder(log_sink))


def timestamp():
    return time.strftime(JSON_TIME, time.gmtime())
