"""The Runtime API (2018-06-01) over one connection: requests are written as text, answers are cut out of the bytes."""
import _socket

from .lambda_runtime_marshaller import LambdaMarshaller, to_json

API = "/2018-06-01/runtime/"
NEXT = API + "invocation/next"
JSON = "Content-Type: application/json\r\n"


class Connection:
    def __init__(self, address):
        host, _, port = address.partition(":")
        self.peer = (host, int(port or 80))
        self.host = address
        self.sock = None
        self.rest = b""
        self.accepted = self.accepted_parsed = None
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

    def result(self, path, body, headers, ask):
        """Posts it; ask: for the next event in the same breath, for the platform hands out both answers together."""
        message = self._message("POST", path, body, headers)
        if ask:
            following = self._message("GET", NEXT)
            if len(message) < 65536:
                message, following = message + following, None
        self._send(message)
        if ask and following:
            self._send(following)
        self._answer()
        self.asked = ask and self.sock is not None

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
        head, self.rest = self.rest[:end], self.rest[end + 4:]
        if head == self.accepted:
            status, answer, length, closes = self.accepted_parsed
        else:
            status, answer, length, closes = parsed = _parse(head)
            if status == 202:  # the answer to a result, always the same
                self.accepted, self.accepted_parsed = head, parsed
        content = self._read(length) if length is not None else self._chunks()
        if closes:
            self.sock.close()
            self.sock = None
        return status, answer, content


def _parse(head):
    """(status, headers, the body's length or None when it comes in chunks, whether the connection ends with it)"""
    lines = head.decode("latin-1").split("\r\n")
    answer = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        answer[name.lower()] = value.strip()
    get = answer.get
    length = None if get("transfer-encoding") == "chunked" else int(get("content-length", 0))
    return int(lines[0].split(" ", 2)[1]), answer, length, get("connection", "").lower() == "close"


def _utf8(text):
    return text.encode("utf-8", "backslashreplace")


def error_header(kind):
    return f"Lambda-Runtime-Function-Error-Type: {''.join(c if ' ' <= c <= '~' else '?' for c in str(kind))}\r\n"


class InvocationRequest:
    __slots__ = ("invoke_id", "x_amzn_trace_id", "invoked_function_arn", "deadline_time_in_ms", "client_context", "cognito_identity", "tenant_id", "content_type",
                 "event_body", "invocation_id")

    def __init__(self, invoke_id=None, x_amzn_trace_id=None, invoked_function_arn=None, deadline_time_in_ms=None, client_context=None, cognito_identity=None,
                 tenant_id=None, content_type=None, event_body=None, invocation_id=None):
        self.invoke_id = invoke_id
        self.x_amzn_trace_id = x_amzn_trace_id
        self.invoked_function_arn = invoked_function_arn
        self.deadline_time_in_ms = deadline_time_in_ms
        self.client_context = client_context
        self.cognito_identity = cognito_identity
        self.tenant_id = tenant_id
        self.content_type = content_type
        self.event_body = event_body
        self.invocation_id = invocation_id


class BaseLambdaRuntimeClient:
    marshaller = LambdaMarshaller()  # may be replaced

    def __init__(self, lambda_runtime_address, use_thread_for_polling_next=False):
        self.lambda_runtime_address = lambda_runtime_address
        self.use_thread_for_polling_next = use_thread_for_polling_next
        self.api = Connection(lambda_runtime_address)
        self.ask_ahead = False  # the loop's to set, before a result: nothing is left to do after it

    def post_init_error(self, error_response_data, error_type_override=None):
        kind = error_type_override or error_response_data["errorType"]
        self.api.call("POST", API + "init/error", _utf8(to_json(error_response_data)), JSON + error_header(kind))

    def report_restore_error(self, restore_error_data):
        self.api.call("POST", API + "restore/error", _utf8(to_json(restore_error_data)), JSON + error_header("Runtime.AfterRestoreError"))

    def wait_next_invocation(self):
        status, headers, body = self.api.next()
        if status != 200:
            raise ConnectionError(f"next: status {status}")
        get = headers.get
        return InvocationRequest(
            headers["lambda-runtime-aws-request-id"], get("lambda-runtime-trace-id"), get("lambda-runtime-invoked-function-arn"),
            int(get("lambda-runtime-deadline-ms", 0)), get("lambda-runtime-client-context"), get("lambda-runtime-cognito-identity"),
            get("lambda-runtime-aws-tenant-id"), "application/json", body)  # an event is JSON, whatever the caller called it

    def post_invocation_result(self, invoke_id, result_data, content_type="application/json", invocation_id=None):
        body = result_data if isinstance(result_data, bytes) else _utf8(result_data)
        self.api.result(f"{API}invocation/{invoke_id}/response", body, f"Content-Type: {content_type}\r\n", self.ask_ahead)

    def post_invocation_error(self, invoke_id, error_response_data, xray_fault, invocation_id=None):
        """error_response_data, xray_fault: JSON. The latter is for X-Ray's segment of the invocation."""
        headers = JSON + error_header(_type_of(error_response_data))
        if len(xray_fault) < 1 << 20 and xray_fault.isascii():
            headers += f"Lambda-Runtime-Function-XRay-Error-Cause: {xray_fault}\r\n"
        self.api.result(f"{API}invocation/{invoke_id}/error", _utf8(error_response_data), headers, self.ask_ahead)


def _type_of(error):
    from .lambda_runtime_marshaller import from_json

    return from_json(_utf8(error)).get("errorType", "")


class LambdaRuntimeClient(BaseLambdaRuntimeClient):
    pass
