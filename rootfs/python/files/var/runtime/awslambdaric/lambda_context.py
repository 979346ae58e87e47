"""What a handler gets beside the event (AWS Lambda Developer Guide, "python-context")."""
import os
import sys
import time

W3C_FIELDS = ("traceparent", "tracestate", "baggage")


_FIELDS = (("log_group_name", b"AWS_LAMBDA_LOG_GROUP_NAME"), ("log_stream_name", b"AWS_LAMBDA_LOG_STREAM_NAME"), ("function_name", b"AWS_LAMBDA_FUNCTION_NAME"),
           ("memory_limit_in_mb", b"AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), ("function_version", b"AWS_LAMBDA_FUNCTION_VERSION"))
_seen = (None, None)  # the environment's values of _FIELDS, and these as attributes


def _environment_fields():
    """_FIELDS by attribute, as os.environ has them now. It decodes a value each time that it is asked (5 us for the five); they are seldom others."""
    global _seen
    environ = os.environ
    data = getattr(environ, "_data", None)
    if not isinstance(data, dict):  # the function has put something else there
        return {name: environ.get(key.decode()) for name, key in _FIELDS}
    get = data.get
    now = [get(key) for _, key in _FIELDS]
    if now != _seen[0]:
        _seen = now, {name: environ.get(key.decode()) for name, key in _FIELDS}
    return _seen[1]


class _Members:
    """Has what its __slots__ name; what is not given is None."""

    __slots__ = ()

    def __init__(self, given):
        for name in self.__slots__:
            setattr(self, name, given.get(name))

    def __repr__(self):
        return f"{type(self).__name__}([{','.join(f'{n}={getattr(self, n)}' for n in self.__slots__)}])"


class CognitoIdentity(_Members):
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, given):
        self.cognito_identity_id = given.get("cognitoIdentityId")
        self.cognito_identity_pool_id = given.get("cognitoIdentityPoolId")


class Client(_Members):
    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext(_Members):
    __slots__ = ("custom", "env", "client")

    def __init__(self, given):
        super().__init__(given)
        if self.client is not None:
            self.client = Client(self.client)


class LambdaContext:
    def __init__(self, invoke_id, client_context, cognito_identity, epoch_deadline_time_in_ms, invoked_function_arn=None, tenant_id=None):
        self.aws_request_id = invoke_id
        self.__dict__.update(_environment_fields())
        self.invoked_function_arn = invoked_function_arn
        self.tenant_id = tenant_id
        self._w3c = {}
        self.client_context = None
        if client_context is not None:
            w3c = client_context.pop("w3c", None) if isinstance(client_context, dict) else None
            if isinstance(w3c, dict):
                self._w3c = {k: w3c[k] for k in W3C_FIELDS if isinstance(w3c.get(k), str)}
            self.client_context = ClientContext(client_context)
        self.identity = CognitoIdentity(cognito_identity or {})
        self._epoch_deadline_time_in_ms = epoch_deadline_time_in_ms

    def get_remaining_time_in_millis(self):
        return max(self._epoch_deadline_time_in_ms - int(time.time() * 1000), 0)

    def w3c(self):
        """The trace context that came with the client context."""
        return dict(self._w3c)

    def log(self, msg):
        if logging := sys.modules.get("logging"):
            for handler in logging.getLogger().handlers:
                if hasattr(handler, "log_sink"):
                    return handler.log_sink.log(str(msg))
        sys.stdout.write(str(msg))

    def __repr__(self):
        names = ("aws_request_id", "log_group_name", "log_stream_name", "function_name", "memory_limit_in_mb", "function_version", "invoked_function_arn",
                 "client_context", "identity", "tenant_id")
        return f"{type(self).__name__}([{','.join(f'{n}={getattr(self, n)}' for n in names)}])"
