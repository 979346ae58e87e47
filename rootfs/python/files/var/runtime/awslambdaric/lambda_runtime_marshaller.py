"""JSON, by the C halves of the json module. What AWS's client makes of a value is followed (tests/it/test_python_json.py has the table): it encodes with
simplejson, so that a namedtuple is an object, bytes are text, and a Decimal keeps every digit."""
import _json
import marshal
import sys

from .lambda_runtime_exception import FaultException


class _ScanContext:
    strict = True
    object_hook = None
    object_pairs_hook = None
    array_hook = None  # Python 3.15
    parse_float = float
    parse_int = int
    parse_constant = {"-Infinity": float("-inf"), "Infinity": float("inf"), "NaN": float("nan")}.__getitem__
    memo = {}


_scan = _json.make_scanner(_ScanContext)


def from_json(data):
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


def _no_json(obj):
    raise TypeError(f"Object of type {type(obj).__name__} is not JSON serializable")


def _bytes_as_text(obj):
    return obj.decode("utf-8") if type(obj) is bytes else _no_json(obj)


def _encode(obj, unknown, quote):
    return "".join(_json.make_encoder({}, unknown, quote, None, ": ", ", ", False, False, True)(obj, 0))


# From Python 3.12 on Lambda's answers are UTF-8 (AWS's client, AWS_EXECUTION_ENV in its marshaller).
_quote = _json.encode_basestring_ascii if sys.version_info < (3, 12) else _json.encode_basestring


def _raw_or_quoted(text):
    return text if type(text) is _Raw else _quote(text)


def _plain(obj, above):
    """The value in types that _json knows; above: the containers that it is in."""
    if obj is None or isinstance(obj, (str, int, float)):
        return obj
    if isinstance(obj, bytes):
        return obj.decode("utf-8")
    as_dict = None if isinstance(obj, type) else getattr(obj, "_asdict", None)
    if not callable(as_dict) and not isinstance(obj, (list, tuple, dict)):
        decimal = sys.modules.get("decimal")  # has it not been imported, this is none
        if decimal and isinstance(obj, decimal.Decimal):
            return _Raw("NaN" if obj.is_nan() else obj)
        _no_json(obj)
    if id(obj) in above:
        raise ValueError("Circular reference detected")
    above.add(id(obj))
    if callable(as_dict):
        given = as_dict()
        if not isinstance(given, dict):
            raise TypeError(f"_asdict() must return a dict, not {type(given).__name__}")
        made = _members(given, above)
    elif isinstance(obj, dict):
        made = _members(obj, above)
    else:
        made = [_plain(v, above) for v in obj]
    above.remove(id(obj))
    return made


def _key(key):
    if isinstance(key, bytes):
        return key.decode("utf-8")
    if key is None or isinstance(key, (str, int, float)):
        return key
    raise TypeError(f"keys must be str, int, float, bool or None, not {type(key).__name__}")


def _members(given, above):
    return {_key(k): _plain(v, above) for k, v in given.items()}


def to_json(obj):
    """Half of a surrogate pair is in it as it is: to be encoded with "backslashreplace", which makes an escape of it."""
    try:
        marshal.dumps(obj, 2)  # of nothing but plain types? It is the fastest to know: a sixth of the time that encoding takes
        return _encode(obj, _bytes_as_text, _quote)
    except (ValueError, TypeError):
        return _encode(_plain(obj, set()), _no_json, _raw_or_quoted)


def to_ascii(obj):
    return _encode(obj, _bytes_as_text, _json.encode_basestring_ascii)


def to_text(obj):
    """For the log: characters as they are, and the text of what is no JSON."""
    return _encode(obj, str, _json.encode_basestring)


class LambdaMarshaller:
    def unmarshal_request(self, request, content_type="application/json"):
        if content_type != "application/json":
            return request
        try:
            return from_json(request)
        except Exception as e:
            raise FaultException(FaultException.UNMARSHAL_ERROR, f"Unable to unmarshal input: {e}") from e

    def marshal_response(self, response):
        """What is posted, and its content type."""
        if isinstance(response, bytes):
            return response, "application/unknown"  # goes out as it is
        try:
            return to_json(response), "application/json"
        except Exception as e:
            raise FaultException(FaultException.MARSHAL_ERROR, f"Unable to marshal response: {e}") from e
