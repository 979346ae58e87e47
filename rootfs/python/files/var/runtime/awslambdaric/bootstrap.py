"""Loads the handler, calls it with each event, and posts what comes of it. Functions are looked up at each call: instrumentation replaces them."""
import importlib
import os
import sys

from . import log_sink as _log
from .lambda_context import LambdaContext
from .lambda_runtime_client import LambdaRuntimeClient
from .lambda_runtime_exception import FaultException
from .lambda_runtime_marshaller import LambdaMarshaller, from_json, to_ascii, to_json
from .log_sink import StandardLogSink, unbuffer

ERROR_LOG_LINE_TERMINATE = "\r"
ERROR_LOG_IDENT = "\u00a0"  # a no-break space: the log's viewers leave it where it is
_GLOBAL_AWS_REQUEST_ID = None
_GLOBAL_TENANT_ID = None


def __getattr__(name):
    """What takes the logging module to define."""
    if name in ("LambdaLoggerHandler", "LambdaLoggerHandlerWithFrameType", "LambdaLoggerFilter", "JsonFormatter"):
        from . import lambda_runtime_log_utils

        return getattr(lambda_runtime_log_utils, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# --- the handler --------------------------------------------------------------------------------------------------------------------
def _get_handler(handler):
    modname, dot, fname = handler.rpartition(".")
    if not dot:
        raise FaultException(FaultException.MALFORMED_HANDLER_NAME, f"Bad handler '{handler}': not enough values to unpack (expected 2, got 1)")
    first = modname.split(".")[0]
    if first in sys.builtin_module_names and first not in getattr(sys.modules.get("fnd_start"), "COMPILED_IN", ()):
        raise FaultException(FaultException.BUILT_IN_MODULE_CONFLICT, f"Cannot use built-in module {modname} as a handler module")
    try:
        module = importlib.import_module(modname.replace("/", "."))
    except ImportError as e:
        raise FaultException(FaultException.IMPORT_MODULE_ERROR, f"Unable to import module '{modname}': {e}") from e
    except SyntaxError as e:
        place = f'  File "{e.filename}" Line {e.lineno}\n    {e.text}'
        raise FaultException(FaultException.USER_CODE_SYNTAX_ERROR, f"Syntax error in module '{modname}': {e}", [place]) from e
    try:
        return getattr(module, fname)
    except AttributeError:
        raise FaultException(FaultException.HANDLER_NOT_FOUND, f"Handler '{fname}' missing on module '{modname}'") from None


# --- errors -------------------------------------------------------------------------------------------------------------------------
def make_error(error_message, error_type, stack_trace, invoke_id=None):
    """The document that the caller sees."""
    return {"errorMessage": error_message or "", "errorType": error_type or "", "requestId": invoke_id or "", "stackTrace": stack_trace or []}


def _frames(exception):
    """[(file, line, function, text)] from the first that is not ours."""
    import traceback

    frames = [(f.filename, f.lineno, f.name, f.line) for f in traceback.extract_tb(exception.__traceback__)]
    first = next((i for i, f in enumerate(frames) if "/bootstrap.py" not in f[0]), 0)
    return frames[first:]


def _message(exception):
    try:
        return str(exception)
    except Exception:  # a __str__ that fails must not take the runtime with it
        return f"<{type(exception).__name__} whose __str__ fails>"


def describe(exception, invoke_id=None):
    """(the error's document, its cause for X-Ray)"""
    if isinstance(exception, FaultException):
        return make_error(exception.msg, exception.exception_type, exception.trace, invoke_id), make_xray_fault("LambdaValidationError", exception.msg, os.getcwd(), [])
    import traceback

    kind, message, frames = type(exception).__name__, _message(exception), _frames(exception)
    return make_error(message, kind, traceback.format_list(frames), invoke_id), make_xray_fault(kind, message, os.getcwd(), frames)


def make_xray_fault(ex_type, ex_msg, working_dir, tb_tuples):
    stack = [{"label": name, "path": path, "line": line} for path, line, name, _ in tb_tuples]
    return {"working_directory": working_dir, "exceptions": [{"message": ex_msg, "type": ex_type, "stack": stack}], "paths": list({f[0] for f in tb_tuples})}


def replace_line_indentation(line, indent_char, new_indent_char):
    text = line.lstrip(indent_char)
    return new_indent_char * (len(line) - len(text)) + text


def log_error(error_result, log_sink):
    if _log.json_format():
        return log_sink.log_error([to_json({"timestamp": _log.timestamp(), "level": "ERROR", **error_result})])
    kind, message = error_result.get("errorType"), error_result.get("errorMessage")
    lines = ["[ERROR]" + (f" {kind}" if kind else "") + (":" if kind and message else "") + (f" {message}" if message else "")]
    if error_result.get("stackTrace") is not None:
        lines.append("Traceback (most recent call last):")
        for element in error_result["stackTrace"]:
            lines += [replace_line_indentation(line, " ", ERROR_LOG_IDENT) for line in element.splitlines()] or [""]
    log_sink.log_error(lines)


# --- one event ----------------------------------------------------------------------------------------------------------------------
def _header_json(text, what):
    try:
        return from_json(text.encode("latin-1")) if text else None  # header bytes; what they hold is UTF-8
    except Exception as e:
        raise FaultException(FaultException.LAMBDA_CONTEXT_UNMARSHAL_ERROR, f"Unable to parse {what} JSON: {e}") from None


def create_lambda_context(client_context_json, cognito_identity_json, epoch_deadline_time_in_ms, invoke_id, invoked_function_arn, tenant_id=None):
    return LambdaContext(invoke_id, _header_json(client_context_json, "Client Context"), _header_json(cognito_identity_json, "Cognito Identity"),
                         epoch_deadline_time_in_ms, invoked_function_arn, tenant_id)


def handle_event_request(lambda_runtime_client, request_handler, invoke_id, event_body, content_type, client_context_json, cognito_identity_json,
                         invoked_function_arn, epoch_deadline_time_in_ms, tenant_id, log_sink, invocation_id=None):
    try:
        context = create_lambda_context(client_context_json, cognito_identity_json, epoch_deadline_time_in_ms, invoke_id, invoked_function_arn, tenant_id)
        event = lambda_runtime_client.marshaller.unmarshal_request(event_body, content_type)
        result, result_type = lambda_runtime_client.marshaller.marshal_response(request_handler(event, context))
    except Exception as e:
        error, xray_fault = describe(e, invoke_id)
        log_error(error, log_sink)
    else:
        return lambda_runtime_client.post_invocation_result(invoke_id, result, result_type, invocation_id)
    lambda_runtime_client.post_invocation_error(invoke_id, to_json(error), to_ascii(xray_fault), invocation_id)


def update_xray_env_variable(xray_trace_id):
    if xray_trace_id is not None:
        os.environ["_X_AMZN_TRACE_ID"] = xray_trace_id
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)


# --- the loop -----------------------------------------------------------------------------------------------------------------------
def _rehearsed(client, marshaller):
    """What an event goes through besides."""
    return (create_lambda_context, update_xray_env_variable, client.wait_next_invocation, marshaller.unmarshal_request, marshaller.marshal_response)


_plain = (handle_event_request, LambdaRuntimeClient.post_invocation_result, LambdaRuntimeClient.post_invocation_error)
_plain_rehearsed = _rehearsed(LambdaRuntimeClient, LambdaMarshaller)


def _is_plain(client):
    """Does nobody have anything left to do when a result is posted? Then the next event may be asked for along with it."""
    return _plain == (handle_event_request, type(client).post_invocation_result, type(client).post_invocation_error)


def is_as_it_came(client):
    """Does nobody hear of an event that the function does not hear of?"""
    return _is_plain(client) and _plain_rehearsed == _rehearsed(type(client), type(client.marshaller))


def run(handler, lambda_runtime_client):
    global _GLOBAL_AWS_REQUEST_ID, _GLOBAL_TENANT_ID
    unbuffer()
    plainly = os.environ.pop("_FND_SNAPSTART", None)  # before the function's first line
    with StandardLogSink() as log_sink:
        _log.set_up_logging(log_sink)
        try:
            request_handler = _get_handler(handler)
        except Exception as e:
            error = describe(e)[0]
            log_error(error, log_sink)
            lambda_runtime_client.post_init_error(error)  # within the except block: Sentry asks sys.exc_info()
            sys.exit(1)
        if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
            import fnd_snapshot

            (fnd_snapshot.go_on if plainly else fnd_snapshot.take)(lambda_runtime_client, log_sink)
        while True:
            e = lambda_runtime_client.wait_next_invocation()
            _GLOBAL_AWS_REQUEST_ID, _GLOBAL_TENANT_ID = e.invoke_id, e.tenant_id
            update_xray_env_variable(e.x_amzn_trace_id)
            lambda_runtime_client.ask_ahead = _is_plain(lambda_runtime_client)
            handle_event_request(lambda_runtime_client, request_handler, e.invoke_id, e.event_body, e.content_type, e.client_context, e.cognito_identity,
                                 e.invoked_function_arn, e.deadline_time_in_ms, e.tenant_id, log_sink, e.invocation_id)
