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
TASK_ROOT = "/var/task"
request_id = None  # of the invocation that runs, for log records


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
    text = data.decode("utf-8").strip(" \t\n\r")
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        raise ValueError("Expecting value") from None
    if end != len(text):
        raise ValueError(f"Extra data at character {end}")
    return value


def _default(obj):
    if type(obj).__name__ == "Decimal":  # as a number, like boto3's users expect
        return int(obj) if obj == obj.to_integral_value() else float(obj)
    raise TypeError(f"Object of type {type(obj).__name__} is not JSON serializable")


def dumps(obj):
    encode = _json.make_encoder({}, _default, _json.encode_basestring_ascii, None, ": ", ", ", False, False, True)
    if type(obj) is str:
        return _json.encode_basestring_ascii(obj)
    return "".join(encode(obj, 0))


# --- the Runtime API ----------------------------------------------------------------------------------------------------------------
class Api:
    def __init__(self, address):
        host, _, port = address.partition(":")
        self.peer = (host, int(port or 80))
        self.host = address
        self.sock = None
        self.rest = b""

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
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\n{headers}"
        if body is None:
            message = (head + "\r\n").encode("latin-1")
        else:
            message = f"{head}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body
        if self.sock is None:
            self._connect()
        self.sock.sendall(message)
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


def _identity(text):
    given = loads(text.encode()) if text else {}
    return CognitoIdentity({"cognito_identity_id": given.get("cognitoIdentityId"), "cognito_identity_pool_id": given.get("cognitoIdentityPoolId")})


def _client_context(text):
    given = loads(text.encode("latin-1")) if text else None
    if not given:
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
        sys.stdout.write(str(msg))
        sys.stdout.flush()

    def __repr__(self):
        return f"LambdaContext([{','.join(f'{k}={v}' for k, v in self.__dict__.items() if k[0] != '_')}])"


# --- errors -------------------------------------------------------------------------------------------------------------------------
class Fault(Exception):
    """An error that is the platform's finding, with a type of its own."""

    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind = kind
        self.trace = list(trace)


def _is_ours(filename):
    return filename == __file__ or filename.endswith("/fnd_runtime.py") or filename == "/var/runtime/bootstrap" or filename.startswith("<frozen ")


def describe(exception, invocation_id):
    """The error document that the caller sees, and what the log says."""
    if isinstance(exception, Fault):
        kind, trace = exception.kind, exception.trace
    else:
        import traceback

        kind = type(exception).__name__
        frames = list(traceback.extract_tb(exception.__traceback__))
        while frames and _is_ours(frames[0].filename):
            frames.pop(0)
        trace = traceback.format_list(frames)
    return {"errorMessage": str(exception), "errorType": kind, "requestId": invocation_id, "stackTrace": trace}


def log_error(error):
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON":
        record = {"timestamp": _timestamp(time.time()), "log_level": "ERROR", "errorMessage": error["errorMessage"], "errorType": error["errorType"],
                  "requestId": error["requestId"], "stackTrace": error["stackTrace"]}
        text = dumps(record) + "\n"
    else:
        text = f"[ERROR] {error['errorType']}: {error['errorMessage']}\n"
        if error["stackTrace"]:
            text += "Traceback (most recent call last):\n" + "".join(error["stackTrace"])
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


# --- logging, set up at the moment the function imports it --------------------------------------------------------------------------
def _timestamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds * 1000) % 1000:03d}Z"


def _set_up_logging(logging):
    class Handler(logging.Handler):
        def emit(self, record):
            try:
                sys.stdout.write(self.format(record))
                sys.stdout.flush()
            except Exception:
                self.handleError(record)

    class Text(logging.Formatter):
        def format(self, record):
            text = f"[{record.levelname}]\t{_timestamp(record.created)}\t{request_id or ''}\t{record.getMessage()}\n"
            if record.exc_info:
                text += self.formatException(record.exc_info) + "\n"
            if record.stack_info:
                text += self.formatStack(record.stack_info) + "\n"
            return text

    class Json(logging.Formatter):
        def format(self, record):
            out = {"timestamp": _timestamp(record.created), "level": record.levelname, "message": record.getMessage(), "logger": record.name}
            if request_id:
                out["requestId"] = request_id
            if record.exc_info and record.exc_info[0]:
                out["errorType"] = record.exc_info[0].__name__
                out["errorMessage"] = str(record.exc_info[1])
                out["stackTrace"] = self.formatException(record.exc_info).splitlines()
                out["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
            for key, value in record.__dict__.items():
                if key not in standard and not key.startswith("_"):
                    try:
                        dumps(value)
                        out[key] = value
                    except (TypeError, ValueError):
                        out[key] = str(value)
            return dumps(out) + "\n"

    standard = set(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "aws_request_id", "taskName"}
    json_format = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"
    handler = Handler()
    handler.setFormatter(Json() if json_format else Text())

    def tag(record):
        record.aws_request_id = request_id
        return True

    handler.addFilter(tag)
    logging.root.addHandler(handler)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL")
    if json_format and level:
        logging.root.setLevel({"TRACE": 5, "FATAL": 50}.get(level, getattr(logging, level, 20)))


class _LoggingFinder:
    """First on sys.meta_path until logging is imported."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(_LoggingFinder)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec:
                break
        else:
            return None
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            _set_up_logging(module)

        spec.loader.exec_module = exec_module
        return spec


# --- the handler --------------------------------------------------------------------------------------------------------------------
def load_handler(handler):
    name, dot, function = handler.rpartition(".")
    if not dot:
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{handler}': not enough values to unpack (expected 2, got 1)")
    name = name.replace("/", ".")
    if name.split(".")[0] in sys.builtin_module_names:
        raise Fault("Runtime.BuiltInModuleConflict", f"Cannot use built-in module {name} as a handler module")
    try:
        __import__(name)
    except ImportError as e:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{name}': {e}") from e
    except SyntaxError as e:
        place = f'  File "{e.filename}" Line {e.lineno}\n    {(e.text or "").strip()}\n'
        raise Fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{name}': {e}", [place]) from e
    found = getattr(sys.modules[name], function, None)
    if found is None:
        raise Fault("Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{name}'")
    return found


def set_up():
    """Paths as in Lambda: the function's own first, then layers, then what the environment adds, the runtime's last."""
    stdlib = [p for p in sys.path if p.startswith("/usr/lib/python3")]
    given = [p for p in sys.path if p not in stdlib and p not in ("/var/runtime", TASK_ROOT)]
    layer = "/opt/python/lib/python3.11/site-packages"
    sys.path[:] = [TASK_ROOT, layer, "/opt/python"] + given + ["/var/runtime"] + stdlib + ["/usr/lib/python3/dist-packages"]
    sys.dont_write_bytecode = True  # /var/task is read-only
    sys.argv = [""]
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    sys.stderr.reconfigure(line_buffering=True, errors="backslashreplace")
    builtins.exit = builtins.quit = sys.exit  # site would have added them
    sys.meta_path.insert(0, _LoggingFinder)


def exec_wrapper():
    """AWS_LAMBDA_EXEC_WRAPPER: a script that gets the runtime's command line to run."""
    wrapper = os.environ.pop("AWS_LAMBDA_EXEC_WRAPPER", None)
    if wrapper:
        try:
            os.execv(wrapper, [wrapper, "/var/runtime/bootstrap"])
        except OSError as e:
            print(f"{wrapper}: {e.strerror}", file=sys.stderr)
            sys.exit(127)


def fail_init(api, exception):
    error = describe(exception, "")
    log_error(error)
    api.call("POST", API + "init/error", dumps(error).encode(), f"Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: {_header(error)}\r\n")
    sys.exit(1)


def _header(error):
    return error["errorType"].encode("ascii", "replace").decode().replace("\n", " ")


def post_error(api, base, exception):
    error = describe(exception, request_id)
    log_error(error)
    api.call("POST", base + "/error", dumps(error).encode(), f"Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: {_header(error)}\r\n")


def serve_one(api, handler):
    global request_id
    status, headers, body = api.call("GET", API + "invocation/next")
    if status != 200:
        raise ConnectionError(f"next: status {status}")
    request_id = headers["lambda-runtime-aws-request-id"]
    base = f"{API}invocation/{request_id}"
    if trace := headers.get("lambda-runtime-trace-id"):
        os.environ["_X_AMZN_TRACE_ID"] = trace
    try:
        try:
            event = loads(body)
        except ValueError as e:
            raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {e}") from e
        result = handler(event, LambdaContext(headers))
        try:
            text = dumps(result)
        except (TypeError, ValueError, RecursionError) as e:
            raise Fault("Runtime.MarshalError", f"Unable to marshal response: {e}") from e
    except Exception as e:
        sys.stdout.flush()
        post_error(api, base, e)
    else:
        if not sys.stdout.closed:
            sys.stdout.flush()
        api.call("POST", base + "/response", text.encode(), "Content-Type: application/json\r\n")


def main():
    exec_wrapper()
    set_up()
    api = Api(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = load_handler(os.environ.get("_HANDLER", ""))
    except Exception as e:
        fail_init(api, e)
    while True:
        serve_one(api, handler)
