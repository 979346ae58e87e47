"""The Python runtime: takes events from the Runtime API (2018-06-01), calls the handler, posts what it returns.

Written to start fast: neither site, json, logging nor http.client is imported unless the function does. Contract: AWS Lambda Developer
Guide, "runtimes-api", "python-handler", "python-context", "python-logging", "python-exceptions".
"""
import sys
import os
import _json
import _socket
import builtins
import time

API = "/2018-06-01/runtime/"
NEXT = API + "invocation/next"
TASK_ROOT = "/var/task"
request_id = tenant_id = None  # of the invocation that runs, for log records


# --- JSON, by the C halves of the json module ---------------------------------------------------------------------------------------
class _ScanContext:
    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = {"-Infinity": float("-inf"), "Infinity": float("inf"), "NaN": float("nan")}.__getitem__
    memo = {}


_scan = _json.make_scanner(_ScanContext)


def loads(data):
    try:
        text = data.decode("utf-8").strip(" \t\n\r")
        value, end = _scan(text, 0)
        if end == len(text):
            return value
    except (StopIteration, ValueError):
        pass
    import json

    return json.loads(data)  # says in its own words what is wrong, or knows the encoding


class _Raw(str):
    """JSON already."""


class _NeedsRaw(Exception):
    pass


def _unknown(obj):
    if isinstance(obj, bytes):  # text, also below the top level: what AWS's runtime makes of it
        return obj.decode("utf-8")
    decimal = sys.modules.get("decimal")  # has it not been imported, this is none
    if decimal and isinstance(obj, decimal.Decimal):
        raise _NeedsRaw
    raise TypeError(f"Object of type {type(obj).__name__} is not JSON serializable")


def _unknown_or_decimal(obj):
    try:
        return _unknown(obj)
    except _NeedsRaw:
        return _Raw("NaN" if obj.is_nan() else obj)  # every digit stays: no detour over float


def _encode(obj, unknown, quote):
    return "".join(_json.make_encoder({}, unknown, quote, None, ": ", ", ", False, False, True)(obj, 0))


def dumps(obj, quote=_json.encode_basestring_ascii):
    try:
        return _encode(obj, _unknown, quote)
    except _NeedsRaw:  # a decimal somewhere: once more, with strings asked one by one whether they are numbers
        return _encode(obj, _unknown_or_decimal, lambda s: s if type(s) is _Raw else quote(s))


# --- the Runtime API ----------------------------------------------------------------------------------------------------------------
class Api:
    def __init__(self, address):
        host, _, port = address.partition(":")
        self.peer = (host, int(port or 80))
        self.host = address
        self.sock = None
        self.rest = b""
        self.asked = False  # the next event has been asked for along with the last result

    def _connect(self):
        self.sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        self.sock.connect(self.peer)
        self.sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self.rest = b""

    def _more(self):
        data = self.sock.recv(262144)
        if not data:
            raise ConnectionError("the Runtime API closed the connection")
        self.rest += data

    def _read(self, length):
        if len(self.rest) < length:
            parts, have = [self.rest], len(self.rest)
            while have < length:
                data = self.sock.recv(min(1 << 20, length - have))
                if not data:
                    raise ConnectionError("the Runtime API closed the connection")
                parts.append(data)
                have += len(data)
            self.rest = b"".join(parts)
        body, self.rest = self.rest[:length], self.rest[length:]
        return body

    def _line(self):
        while (end := self.rest.find(b"\r\n")) < 0:
            self._more()
        line, self.rest = self.rest[:end], self.rest[end + 2:]
        return line

    def _chunks(self):
        parts = []
        while size := int(self._line().split(b";")[0], 16):
            parts.append(self._read(size))
            self._line()
        while self._line():
            pass
        return b"".join(parts)

    def call(self, method, path, body=None, headers=""):
        """(status, {lower-case header: value}, body)"""
        self._send(self._message(method, path, body, headers))
        return self._answer()

    def next(self):
        if not self.asked:
            self._send(self._message("GET", NEXT))
        self.asked = False
        return self._answer()

    def result(self, path, body, headers):
        """Posts it, and asks for the next event in the same breath: the platform hands out both answers together."""
        message, following = self._message("POST", path, body, headers), self._message("GET", NEXT)
        if len(message) < 65536:
            self._send(message + following)
        else:
            self._send(message)
            self._send(following)
        self._answer()
        self.asked = self.sock is not None

    def _message(self, method, path, body=None, headers=""):
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\n{headers}"
        if body is None:
            return (head + "\r\n").encode("latin-1")
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body

    def _send(self, message):
        if self.sock is None:
            self._connect()
        self.sock.sendall(message)  # unanswered calls are not repeated: the platform ends a runtime whose connection it dropped

    def _answer(self):
        while (end := self.rest.find(b"\r\n\r\n")) < 0:
            self._more()
        lines, self.rest = self.rest[:end].decode("latin-1").split("\r\n"), self.rest[end + 4:]
        answer = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            answer[name.lower()] = value.strip()
        if answer.get("transfer-encoding") == "chunked":
            content = self._chunks()
        else:
            content = self._read(int(answer.get("content-length", 0)))
        if answer.get("connection", "").lower() == "close":
            self.sock.close()
            self.sock = None
        return int(lines[0].split(" ", 2)[1]), answer, content


# --- what a handler gets ------------------------------------------------------------------------------------------------------------
class _Record:
    def __init__(self, members):
        self.__dict__.update(members)

    def __repr__(self):
        return f"{type(self).__name__}([{','.join(f'{k}={v}' for k, v in self.__dict__.items())}])"


class CognitoIdentity(_Record):
    pass


class Client(_Record):
    pass


class ClientContext(_Record):
    pass


def _header_json(text, what):
    try:
        return loads(text.encode("latin-1")) if text else None  # header bytes; what they hold is UTF-8
    except Exception as e:
        raise Fault("Runtime.LambdaContextUnmarshalError", f"Unable to parse {what} JSON: {e}") from None


def _identity(text):
    given = _header_json(text, "Cognito Identity") or {}
    return CognitoIdentity({"cognito_identity_id": given.get("cognitoIdentityId"), "cognito_identity_pool_id": given.get("cognitoIdentityPoolId")})


def _client_context(text):
    given = _header_json(text, "Client Context")
    if given is None:
        return None
    client = given.get("client") or {}
    names = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")
    return ClientContext({"custom": given.get("custom"), "env": given.get("env"), "client": Client({n: client.get(n) for n in names})})


class LambdaContext:
    def __init__(self, headers):
        get, env = headers.get, os.environ
        self.aws_request_id = get("lambda-runtime-aws-request-id")
        self.log_group_name = env.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = env.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = env.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = env.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = env.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = get("lambda-runtime-invoked-function-arn")
        self.tenant_id = get("lambda-runtime-aws-tenant-id")
        self.client_context = _client_context(get("lambda-runtime-client-context"))
        self.identity = _identity(get("lambda-runtime-cognito-identity"))
        self._epoch_deadline_time_in_ms = int(get("lambda-runtime-deadline-ms", 0))

    def get_remaining_time_in_millis(self):
        return max(self._epoch_deadline_time_in_ms - int(time.time() * 1000), 0)

    def log(self, msg):
        _write(str(msg))

    def __repr__(self):
        names = ("aws_request_id", "log_group_name", "log_stream_name", "function_name", "memory_limit_in_mb", "function_version", "invoked_function_arn",
                 "client_context", "identity", "tenant_id")
        return f"LambdaContext([{','.join(f'{n}={getattr(self, n, None)}' for n in names)}])"


# --- errors -------------------------------------------------------------------------------------------------------------------------
class Fault(Exception):
    """An error that is the platform's finding, with a type of its own."""

    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind = kind
        self.trace = list(trace)


def _is_ours(filename):
    return filename == __file__ or filename.endswith(("/fnd_runtime.py", "/fnd_snapshot.py")) or filename.startswith("/var/runtime/bootstrap") or filename.startswith("<frozen ")


def describe(exception, invocation_id):
    """The error document that the caller sees, and what the log says."""
    if isinstance(exception, Fault):
        kind, trace = exception.kind, exception.trace
    else:
        import traceback

        kind = type(exception).__name__
        frames = traceback.extract_tb(exception.__traceback__)
        while frames and _is_ours(frames[0].filename):
            frames.pop(0)
        trace = traceback.format_list([(f.filename, f.lineno, f.name, f.line) for f in frames])  # as tuples: without the ^^^^ below a line
    try:
        message = str(exception)
    except Exception:  # a __str__ that fails must not take the runtime with it
        message = f"<{kind} whose __str__ fails>"
    return {"errorMessage": message, "errorType": kind, "requestId": invocation_id, "stackTrace": trace}


def _write(text):
    """To the log, whatever the function did to sys.stdout."""
    for stream in (sys.stdout, sys.__stdout__):
        try:
            stream.write(text)
            stream.flush()
            return
        except Exception:
            continue


def flush():
    """What was printed without a line's end belongs to this invocation."""
    for stream in (sys.stdout, sys.__stdout__):
        try:
            stream.flush()
        except Exception:
            continue


def log_error(error):
    if json_format():
        text = dumps({"timestamp": _timestamp(time.time()), "level": "ERROR", **error}, _json.encode_basestring)
    else:
        kind, message = error["errorType"], error["errorMessage"]
        text = f"[ERROR] {kind}{': ' if message else ''}{message}\nTraceback (most recent call last):\n" + "".join(error["stackTrace"])
    _write(text if text.endswith("\n") else text + "\n")


# --- logging, set up at the moment the function imports it --------------------------------------------------------------------------
def _timestamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds * 1000) % 1000:03d}Z"


def json_format():
    return os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"


def _json_formatter(logging):
    standard = set(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "aws_request_id", "tenant_id", "taskName"}

    def members(record):
        level = min(50, max(0, record.levelno)) // 10 * 10  # levels between the five count as the lower one
        yield "timestamp", _timestamp(record.created)
        yield "level", logging.getLevelName(level)
        yield "message", record.getMessage()
        yield "logger", record.name
        if record.exc_info and record.exc_info[0]:
            import traceback

            yield "stackTrace", traceback.format_tb(record.exc_info[2])
            yield "errorType", record.exc_info[0].__name__
            yield "errorMessage", str(record.exc_info[1])
            yield "location", f"{record.pathname}:{record.funcName}:{record.lineno}"
        yield "requestId", getattr(record, "aws_request_id", "")
        if getattr(record, "tenant_id", None):
            yield "tenantId", record.tenant_id
        for key, value in record.__dict__.items():
            if key not in standard and value is not None:
                yield key, value

    class Formatter(logging.Formatter):
        def format(self, record):
            out = {}
            for key, value in members(record):
                out.setdefault(key, value)
            try:
                return dumps(out, _json.encode_basestring) + "\n"
            except (TypeError, ValueError):  # some `extra` is no JSON: its text
                return dumps({k: _or_text(v) for k, v in out.items()}, _json.encode_basestring) + "\n"

    return Formatter()


def _or_text(value):
    try:
        dumps(value)
        return value
    except (TypeError, ValueError):
        return str(value)


def _set_up_logging(logging):
    class LambdaLoggerHandler(logging.Handler):
        def emit(self, record):
            try:
                text = self.format(record)
                sys.stdout.write(text if text.endswith("\n") else text + "\n")  # a formatter of the function's own writes none
                sys.stdout.flush()
            except Exception:
                self.handleError(record)

    def tag(record):
        record.aws_request_id = request_id or ""
        record.tenant_id = tenant_id
        return True

    handler = LambdaLoggerHandler()
    if json_format():
        handler.setFormatter(_json_formatter(logging))
    else:
        formatter = logging.Formatter("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n", "%Y-%m-%dT%H:%M:%S")
        formatter.converter = time.gmtime
        handler.setFormatter(formatter)
    handler.addFilter(tag)
    logging.root.addHandler(handler)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = logging.getLevelName({"TRACE": "DEBUG"}.get(level, level))
    if isinstance(level, int):
        logging.root.setLevel(level)


class _LoggingFinder:
    """First on sys.meta_path until logging is imported."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "logging":
            return None
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target) if finder is not _LoggingFinder else None
            if spec:
                break
        else:
            return None
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            if _LoggingFinder in sys.meta_path:  # not when it was only looked for
                sys.meta_path.remove(_LoggingFinder)
            if hasattr(module, "root"):  # a module of the function's own may have taken the name
                _set_up_logging(module)

        spec.loader.exec_module = exec_module
        return spec


# --- the handler --------------------------------------------------------------------------------------------------------------------
def load_handler(handler):
    name, dot, function = handler.rpartition(".")
    if not dot:
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{handler}': not enough values to unpack (expected 2, got 1)")
    if name.split(".")[0] in sys.builtin_module_names:
        raise Fault("Runtime.BuiltInModuleConflict", f"Cannot use built-in module {name} as a handler module")
    try:
        module = name.replace("/", ".")
        __import__(module)
    except ImportError as e:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{name}': {e}") from e
    except SyntaxError as e:
        place = f'  File "{e.filename}" Line {e.lineno}\n    {e.text}'
        raise Fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{name}': {e}", [place]) from e
    try:
        return getattr(sys.modules[module], function)
    except AttributeError:
        raise Fault("Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{name}'") from None


def set_up():
    """Paths as in Lambda: the function's own first, then layers, then what the environment adds, the runtime's last."""
    stdlib = [p for p in sys.path if p.startswith("/var/lang/lib/python3")]
    given = [p for p in sys.path if p not in stdlib and p not in ("/var/runtime", TASK_ROOT)]
    layer = "/opt/python/lib/python3.11/site-packages"
    sys.path[:] = [TASK_ROOT, layer, "/opt/python"] + given + ["/var/runtime"] + stdlib + ["/var/lang/lib/python3.11/site-packages"]
    sys.dont_write_bytecode = True  # /var/task is read-only
    sys.argv = [""]
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    sys.stderr.reconfigure(line_buffering=True, errors="backslashreplace")
    builtins.exit = builtins.quit = sys.exit  # site would have added them
    sys.meta_path.insert(0, _LoggingFinder)


def exec_wrapper():
    """AWS_LAMBDA_EXEC_WRAPPER: a program that gets the runtime's command line, interpreter first and script last, and runs it."""
    wrapper = os.environ.get("AWS_LAMBDA_EXEC_WRAPPER")
    if not wrapper:
        return
    try:
        os.execv(wrapper, [wrapper, sys.executable, "-S", "/var/runtime/bootstrap.py"])
    except OSError as e:
        print(f"{wrapper}: {e.strerror}", file=sys.stderr)
        sys.exit(126 if isinstance(e, PermissionError) else 127)


# --- started ahead -----------------------------------------------------------------------------------------------------------------
PRELOADED = ("json",)  # what most handlers import


def started_ahead():
    """Begun before there was a function (fnd's lib/sandbox/spec.h has the protocol): loads what is not the function's, waits for its environment."""
    fd = int(os.environ["_FND_PRESTART"])
    before = set(sys.modules)
    for name in PRELOADED:
        __import__(name)
    new = set(sys.modules) - before
    shown = _environ_shown()
    _comm("fn-ready")
    os.write(fd, b"!")
    size = int.from_bytes(_read_all(fd, 4), sys.byteorder)
    environment = _read_all(fd, size)
    os.close(fd)
    _comm("bootstrap")
    take_environment(environment)
    _show_environ(environment, *shown)
    os.chdir(TASK_ROOT)
    sys.path_importer_cache.clear()  # what it says of directories was true of another root
    _forget_shadowed(new)


def _environ_shown():
    """(descriptor of this process' memory, start, end): the place that /proc/self/environ shows, with what it was begun with."""
    with open("/proc/self/stat", "rb") as f:
        fields = f.read().rpartition(b")")[2].split()
    return os.open("/proc/self/mem", os.O_WRONLY), int(fields[47]), int(fields[48])


def _show_environ(environment, memory, start, end):
    """Nothing points there any more."""
    if len(environment) <= end - start:
        os.pwrite(memory, environment.ljust(end - start, b"\0"), start)
    os.close(memory)


def take_environment(environment):
    """b"NAME=value\\0..." instead of what there is."""
    os.environ.clear()
    for entry in environment.split(b"\0")[:-1]:
        name, _, value = entry.partition(b"=")
        os.environb[name] = value


def _read_all(fd, size):
    data = b""
    while len(data) < size:
        more = os.read(fd, size - len(data))
        if not more:
            sys.exit(0)  # never needed
        data += more
    return data


def _comm(name):
    with open("/proc/self/comm", "w") as f:
        f.write(name)


def _forget_shadowed(modules):
    """A module of the function's own that has a preloaded one's name comes first, as if nothing had been loaded."""
    own = set()
    for path in (TASK_ROOT, "/opt/python/lib/python3.11/site-packages", "/opt/python"):
        try:
            own.update(n.partition(".")[0] for n in os.listdir(path))
        except OSError:
            continue
    if any(m.partition(".")[0] in own for m in modules):
        for m in modules:
            sys.modules.pop(m, None)


def fail_init(api, exception):
    error = describe(exception, "")
    log_error(error)
    api.call("POST", API + "init/error", dumps(error).encode(), f"Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: {_header(error)}\r\n")
    sys.exit(1)


def _header(error):
    return "".join(c if " " <= c <= "~" else "?" for c in error["errorType"])


def post_error(api, base, exception):
    error = describe(exception, request_id)
    log_error(error)
    api.result(base + "/error", dumps(error).encode(), f"Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: {_header(error)}\r\n")


def answer(handler, headers, body):
    """(bytes, their content type): what the handler makes of an event."""
    context = LambdaContext(headers)
    try:
        event = loads(body)
    except Exception as e:
        raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {e}") from e
    result = handler(event, context)
    if isinstance(result, bytes):
        return result, "application/unknown"  # goes out as it is
    try:
        return dumps(result).encode(), "application/json"
    except Exception as e:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {e}") from e


def serve_one(api, handler):
    global request_id, tenant_id
    status, headers, body = api.next()
    if status != 200:
        raise ConnectionError(f"next: status {status}")
    request_id = headers["lambda-runtime-aws-request-id"]
    tenant_id = headers.get("lambda-runtime-aws-tenant-id")
    base = f"{API}invocation/{request_id}"
    if trace := headers.get("lambda-runtime-trace-id"):
        os.environ["_X_AMZN_TRACE_ID"] = trace
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    try:
        result, content_type = answer(handler, headers, body)
    except Exception as e:
        flush()
        post_error(api, base, e)
    else:
        flush()
        api.result(base + "/response", result, f"Content-Type: {content_type}\r\n")


def main():
    if "_FND_PRESTART" in os.environ:
        started_ahead()
    set_up()
    api = Api(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = load_handler(os.environ.get("_HANDLER", ""))
    except Exception as e:
        fail_init(api, e)
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        import fnd_snapshot

        fnd_snapshot.take(api)
    while True:
        serve_one(api, handler)
