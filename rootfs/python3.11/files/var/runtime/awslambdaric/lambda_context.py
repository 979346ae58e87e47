"""What a handler gets beside the event (AWS Lambda Developer Guide, "python-context")."""
import os
import sys
import time

W3C_FIELDS = ("traceparent", "tracestate", "baggage")


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
        get = os.environ.get
        self.aws_request_id = invoke_id
        self.log_group_name = get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = invoked_function_arn
        self.tenant_id = tenant_id
        w3c = client_context.pop("w3c", None) if isinstance(client_context, dict) else None
        self._w3c = {k: w3c[k] for k in W3C_FIELDS if isinstance(w3c.get(k), str)} if isinstance(w3c, dict) else {}
        self.client_context = ClientContext(client_context) if client_context is not None else None
        given = cognito_identity or {}
        self.identity = CognitoIdentity({"cognito_identity_id": given.get("cognitoIdentityId"), "cognito_identity_pool_id": given.get("cognitoIdentityPoolId")})
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
