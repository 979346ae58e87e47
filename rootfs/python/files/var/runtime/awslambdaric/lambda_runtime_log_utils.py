"""What the logging module gets from the runtime. Imported when the function imports logging (log_sink.py), which happens in most, not in all."""
import logging
import os
import sys
import time
import traceback

from . import lambda_runtime_marshaller as marshaller
from .log_sink import JSON_TIME, json_format

_OURS = set(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) - {"taskName"} | {"aws_request_id", "tenant_id", "_frame_type"}


class JsonFormatter(logging.Formatter):
    """One object a line (AWS Lambda Developer Guide, "python-logging"): an object that is logged stays one, what is no JSON becomes its text."""

    converter = time.gmtime

    def __init__(self):
        super().__init__(datefmt=JSON_TIME)

    def format(self, record):
        record.levelno = min(50, max(0, record.levelno)) // 10 * 10  # levels between the five count as the lower one
        record.levelname = logging.getLevelName(record.levelno)
        exc = record.exc_info if record.exc_info and record.exc_info[0] else None
        out = {
            "timestamp": self.formatTime(record, self.datefmt),
            "level": record.levelname,
            "message": record.msg if isinstance(record.msg, dict) and not record.args else record.getMessage(),
            "logger": record.name,
            "stackTrace": traceback.format_tb(exc[2]) if exc else None,
            "errorType": exc[0].__name__ if exc else None,
            "errorMessage": str(exc[1]) if exc else None,
            "requestId": getattr(record, "aws_request_id", None),
            "location": f"{record.pathname}:{record.funcName}:{record.lineno}" if exc else None,
            "tenantId": getattr(record, "tenant_id", None),
        }
        for key, value in record.__dict__.items():
            if key not in _OURS:
                out.setdefault(key, value)
        return marshaller.to_text({k: v for k, v in out.items() if v is not None}) + "\n"


class LambdaLoggerHandler(logging.Handler):
    def __init__(self, log_sink):
        super().__init__()
        self.log_sink = log_sink

    def emit(self, record):
        self.log_sink.log(self.format(record))


class LambdaLoggerHandlerWithFrameType(LambdaLoggerHandler):
    """The name that the handler has where there are levels: with JSON, or AWS_LAMBDA_LOG_LEVEL."""


class LambdaLoggerFilter(logging.Filter):
    """Each record says which invocation it belongs to."""

    def filter(self, record):
        bootstrap = sys.modules["awslambdaric.bootstrap"]
        record.aws_request_id = bootstrap._GLOBAL_AWS_REQUEST_ID or ""
        record.tenant_id = bootstrap._GLOBAL_TENANT_ID
        return True


for _c in (LambdaLoggerHandler, LambdaLoggerHandlerWithFrameType, LambdaLoggerFilter):
    _c.__module__ = "awslambdaric.bootstrap"


def set_up(log_sink):
    logging.Formatter.converter = time.gmtime
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = {"TRACE": "DEBUG"}.get(level, level)
    if json_format():
        handler = LambdaLoggerHandlerWithFrameType(log_sink)
        handler.setFormatter(JsonFormatter())
    else:
        handler = (LambdaLoggerHandlerWithFrameType if level else LambdaLoggerHandler)(log_sink)
        handler.setFormatter(logging.Formatter("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n", "%Y-%m-%dT%H:%M:%S"))
    if isinstance(logging.getLevelName(level), int):
        logging.root.setLevel(level)
    handler.addFilter(LambdaLoggerFilter())
    logging.root.addHandler(handler)
