"""JSON that the Python runtime makes of what a handler returns: a table of values with what AWS's client made of them."""
import unittest
from harness import *

VALUES = r"""
import collections, dataclasses, datetime, decimal, enum, fractions, uuid
P = collections.namedtuple("P", "x y")
class T(tuple): pass
class L(list): pass
class D(dict): pass
class S(str): pass
class I(int):
    def __repr__(self): return "I!"
    __str__ = __repr__
class F(float):
    def __repr__(self): return "F!"
class E(enum.Enum): A = 1
class IE(enum.IntEnum): A = 1
class SE(str, enum.Enum): A = "a"
class FJ:
    def for_json(self): return {"j": 1}
class FJd(dict):
    def for_json(self): return {"j": 1}
class AD:
    def _asdict(self): return {"as": 1}
class ADl(list):
    def _asdict(self): return {"as": 1}
class ADd(dict):
    def _asdict(self): return {"as": 1}
class ADt(tuple):
    def _asdict(self): return [1]
class It:
    def __iter__(self): return iter([1])
@dataclasses.dataclass
class DC: a: int = 1
circ = []
circ.append(circ)
circd = {}
circd["a"] = circd
dec = decimal.Decimal
V = {
 "none": None, "true": True, "int": 5, "big": 2**70, "neg": -3, "float": 1.5, "f1": 1.0, "f2": 1e100, "f3": 1e-7, "nan": float("nan"),
 "inf": float("inf"), "ninf": -float("inf"),
 "str": "a\u00e4\u2028\u20ac\U0001f600\"\\/\b\f\n\r\t\x00\x7f", "surr": "\ud800", "bytes_in": [b"a\xc3\xa4"], "bytes_bad": [b"\xff"],
 "bytearray": [bytearray(b"x")], "mem": [memoryview(b"x")],
 "list": [1, [2, []]], "tuple": (1, (2,)), "tsub": T((1,)), "lsub": L([1]), "dsub": D(a=1), "ssub": S("x"), "isub": I(7), "fsub": F(1.5),
 "nt": P(1, 2), "nt_in": [P(1, P(2, b"q")), {"k": P(1, (2,))}],
 "enum": [E.A], "ie": [IE.A], "se": [SE.A], "ie_key": {IE.A: 1}, "fj": FJ(), "fjd": FJd(a=1), "ad": AD(), "adl": ADl([1]), "add": ADd(z=1),
 "adt": ADt((1,)), "iter": It(), "gen": (i for i in [1]), "set": {1}, "dc": DC(), "dt": datetime.datetime(2020, 1, 1), "uuid": [uuid.UUID(int=1)],
 "frac": fractions.Fraction(1, 2), "cx": 1j, "dict": {"a": 1, "b": [2]}, "k_int": {1: 2}, "k_float": {1.5: 1}, "k_nan": {float("nan"): 1},
 "k_inf": {float("inf"): 1}, "k_none": {None: 1}, "k_true": {True: 1, False: 0}, "k_bytes": {b"a\xc3\xa4": 1}, "k_bytes_bad": {b"\xff": 1},
 "k_tuple": {(1, 2): 3}, "k_dec": {dec("1.5"): 1}, "k_isub": {I(7): 1}, "k_fsub": {F(2.5): 1}, "k_ssub": {S("x"): 1}, "k_se": {SE.A: 1},
 "k_big": {2**70: 1},
 "dec": dec("1.50"), "dec_in": {"d": [dec("0.1"), dec("1E+5"), dec("-0"), dec("12345678901234567890.123")]}, "dec_nan": dec("NaN"),
 "dec_snan": dec("sNaN"), "dec_nnan": [dec("-NaN")], "dec_inf": dec("Infinity"), "dec_ninf": [dec("-Infinity")], "circ": circ, "circd": circd,
 "od": collections.OrderedDict(b=1, a=2), "dd": collections.defaultdict(list, a=[1]), "cnt": collections.Counter("aab"), "keys": {}.keys(),
 "deque": collections.deque([1]), "fn": len, "exc": ValueError("x"), "cls": int, "range": range(3), "chain": collections.ChainMap({"a": 1}),
 "empty": [{}, [], (), ""], "ntc": P, "mix": {1: 1, "1": 2}, "nt_dec": P(dec("1"), {"b": b"x"}), "frozen": frozenset([1]),
}


from awslambdaric.lambda_runtime_marshaller import to_json

def result(value):
    try:
        return to_json(value)
    except Exception as e:
        return f"{type(e).__name__}: {e}"

def handler(e, c):
    return {k: result(v) for k, v in V.items()}
"""

# awslambdaric 4.2.2 with simplejson 4.3.0, AWS_EXECUTION_ENV=AWS_Lambda_python3.11
WANTED = {
    'none': 'null',
    'true': 'true',
    'int': '5',
    'big': '1180591620717411303424',
    'neg': '-3',
    'float': '1.5',
    'f1': '1.0',
    'f2': '1e+100',
    'f3': '1e-07',
    'nan': 'NaN',
    'inf': 'Infinity',
    'ninf': '-Infinity',
    'str': '"a\\u00e4\\u2028\\u20ac\\ud83d\\ude00\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u007f"',
    'surr': '"\\ud800"',
    'bytes_in': '["a\\u00e4"]',
    'bytes_bad': "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
    'bytearray': 'TypeError: Object of type bytearray is not JSON serializable',
    'mem': 'TypeError: Object of type memoryview is not JSON serializable',
    'list': '[1, [2, []]]',
    'tuple': '[1, [2]]',
    'tsub': '[1]',
    'lsub': '[1]',
    'dsub': '{"a": 1}',
    'ssub': '"x"',
    'isub': '7',
    'fsub': '1.5',
    'nt': '{"x": 1, "y": 2}',
    'nt_in': '[{"x": 1, "y": {"x": 2, "y": "q"}}, {"k": {"x": 1, "y": [2]}}]',
    'enum': 'TypeError: Object of type E is not JSON serializable',
    'ie': '[1]',
    'se': '["a"]',
    'ie_key': '{"1": 1}',
    'fj': 'TypeError: Object of type FJ is not JSON serializable',
    'fjd': '{"a": 1}',
    'ad': '{"as": 1}',
    'adl': '{"as": 1}',
    'add': '{"as": 1}',
    'adt': 'TypeError: _asdict() must return a dict, not list',
    'iter': 'TypeError: Object of type It is not JSON serializable',
    'gen': 'TypeError: Object of type generator is not JSON serializable',
    'set': 'TypeError: Object of type set is not JSON serializable',
    'dc': 'TypeError: Object of type DC is not JSON serializable',
    'dt': 'TypeError: Object of type datetime is not JSON serializable',
    'uuid': 'TypeError: Object of type UUID is not JSON serializable',
    'frac': 'TypeError: Object of type Fraction is not JSON serializable',
    'cx': 'TypeError: Object of type complex is not JSON serializable',
    'dict': '{"a": 1, "b": [2]}',
    'k_int': '{"1": 2}',
    'k_float': '{"1.5": 1}',
    'k_nan': '{"NaN": 1}',
    'k_inf': '{"Infinity": 1}',
    'k_none': '{"null": 1}',
    'k_true': '{"true": 1, "false": 0}',
    'k_bytes': '{"a\\u00e4": 1}',
    'k_bytes_bad': "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
    'k_tuple': 'TypeError: keys must be str, int, float, bool or None, not tuple',
    'k_dec': 'TypeError: keys must be str, int, float, bool or None, not Decimal',
    'k_isub': '{"7": 1}',
    'k_fsub': '{"2.5": 1}',
    'k_ssub': '{"x": 1}',
    'k_se': '{"a": 1}',
    'k_big': '{"1180591620717411303424": 1}',
    'dec': '1.50',
    'dec_in': '{"d": [0.1, 1E+5, -0, 12345678901234567890.123]}',
    'dec_nan': 'NaN',
    'dec_snan': 'NaN',
    'dec_nnan': '[NaN]',
    'dec_inf': 'Infinity',
    'dec_ninf': '[-Infinity]',
    'circ': 'ValueError: Circular reference detected',
    'circd': 'ValueError: Circular reference detected',
    'od': '{"b": 1, "a": 2}',
    'dd': '{"a": [1]}',
    'cnt': '{"a": 2, "b": 1}',
    'keys': 'TypeError: Object of type dict_keys is not JSON serializable',
    'deque': 'TypeError: Object of type deque is not JSON serializable',
    'fn': 'TypeError: Object of type builtin_function_or_method is not JSON serializable',
    'exc': 'TypeError: Object of type ValueError is not JSON serializable',
    'cls': 'TypeError: Object of type type is not JSON serializable',
    'range': 'TypeError: Object of type range is not JSON serializable',
    'chain': 'TypeError: Object of type ChainMap is not JSON serializable',
    'empty': '[{}, [], [], ""]',
    'ntc': 'TypeError: Object of type type is not JSON serializable',
    'mix': '{"1": 1, "1": 2}',
    'nt_dec': '{"x": 1, "y": {"b": "x"}}',
    'frozen': 'TypeError: Object of type frozenset is not JSON serializable',
}


class Json(Case):
    def test_each_value_is_what_aws_s_client_makes_of_it(self):
        r = self.d.invoke(self.python(VALUES), {})
        self.assertIsNone(r.error, r)
        for name, wanted in WANTED.items():
            with self.subTest(name):
                self.assertEqual(r.json[name], wanted)
        self.assertEqual(list(r.json), list(WANTED))

    def test_from_python_3_12_on_characters_are_as_they_are(self):
        """As awslambdaric 4.2.2 has it for AWS_EXECUTION_ENV=AWS_Lambda_python3.12 and later."""
        r = self.d.invoke(self.function("t-utf8", make_zip({"f.py": VALUES}), runtime="python3.13", handler="f.handler"), {})
        wanted = dict(WANTED, str='"a\u00e4\u2028\u20ac\U0001f600\\"\\\\/\\b\\f\\n\\r\\t\\u0000\x7f"', surr='"\ud800"', bytes_in='["a\u00e4"]', k_bytes='{"a\u00e4": 1}')
        for name in ("str", "surr", "bytes_in", "k_bytes", "dec_in", "nt_in"):
            with self.subTest(name):
                self.assertEqual(r.json[name], wanted[name])
        f = self.function("t-utf8-whole", make_zip({"f.py": """
def handler(e, c):
    if e:
        raise ValueError(e)
    return "\\u3053\\u3093" + "\\ud83d"
"""}), runtime="python3.13", handler="f.handler")
        self.assertEqual(self.d.invoke(f, b'""').body, '"\u3053\u3093\\ud83d"'.encode())
        self.assertIn('"errorMessage": "\u3053"'.encode(), self.d.invoke(f, '"\u3053"'.encode()).body)

    def test_a_whole_response(self):
        f = self.python("""
import collections, decimal
P = collections.namedtuple("P", "x y")
VALUES = {"namedtuple": P(1, [P(2, None)]), "bytes": b"as is", "decimal": {"d": decimal.Decimal("1.10")}, "none": None, "deep": None, "text": "\\u00e4"}
for _ in range(5000):
    VALUES["deep"] = [VALUES["deep"]]
def handler(e, c):
    return VALUES[e]
""")
        send = lambda name: self.d.invoke(f, f'"{name}"'.encode())
        self.assertEqual(send("namedtuple").body, b'{"x": 1, "y": [{"x": 2, "y": null}]}')
        self.assertEqual(send("bytes").body, b"as is")
        self.assertEqual(send("decimal").body, b'{"d": 1.10}')
        self.assertEqual(send("none").body, b"null")
        self.assertEqual(send("text").body, b'"\\u00e4"')
        self.assertEqual((send("deep").error, send("deep").json["errorType"]), ("Unhandled", "Runtime.MarshalError"))
