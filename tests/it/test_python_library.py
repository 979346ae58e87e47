"""Python's standard library in every image of it: each module is imported, inside a function, and what is missing has a reason here."""
import fnmatch, unittest
from harness import *

BUILT = sorted((n.removesuffix(".json") for n in os.listdir(IMAGES) if re.fullmatch(r"python3\.\d+\.json", n)), key=lambda n: int(n.split(".")[1])) if os.path.isdir(IMAGES) else []

# Why a module cannot be imported: {reason: [names, or "version:name" of one version's]}. Nothing else may be missing.
MISSING = {
    "another system's": ["_ios_support", "_msi", "_overlapped", "_scproxy", "_winapi", "_wmi", "msilib", "msvcrt", "nt", "winreg", "winsound", "asyncio.windows_*", "encodings.mbcs", "encodings.oem",
                         "multiprocessing.popen_spawn_win32", "_pyrepl.windows_console", "distutils.command.bdist_msi", "distutils.msvc9compiler"],
    "there is no display, and Lambda's images are without them too": ["_tkinter", "tkinter", "tkinter.*", "turtle", "turtledemo", "turtledemo.*"],
    "setuptools' distutils stands in for it, as wherever setuptools is installed, and has it no longer": [
        f"3.{v}:distutils.{m}" for v in (9, 10, 11) for m in ("bcppcompiler", "command.bdist_wininst", "command.register", "command.upload", "config", "msvccompiler")],
    "a script of Python 2, by its own mistake": ["lib2to3.pgen2.conv"],
    "Debian's build of it has no libdb": ["3.15:_dbm", "3.15:dbm.ndbm"],
}

IMPORT = r'''
import contextlib, importlib, io, os, sys, warnings

LIB = os.path.dirname(os.__file__)
NOT_IMPORTED = {"this", "antigravity", "__main__", "__phello__", "idlelib", "test", "site-packages", "dist-packages"}

def names():
    found = set(getattr(sys, "stdlib_module_names", ()))
    for base, directories, files in os.walk(LIB):
        inside = os.path.relpath(base, LIB)
        directories[:] = [d for d in directories if d.isidentifier() and d != "__pycache__" or d == "lib-dynload"]
        package = "" if inside in (".", "lib-dynload") else inside.replace("/", ".") + "."
        for f in files:
            if f == "__init__.py":
                found.add(package[:-1])
            elif f.endswith(".py") or ".cpython-" in f and f.endswith(".so"):
                found.add(package + f.partition(".")[0])
    return sorted(n for n in found if n and n.partition(".")[0] not in NOT_IMPORTED and not n.endswith(".__main__"))

def handler(event, context):
    warnings.simplefilter("ignore")
    failed, all = {}, names()
    for name in all:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                importlib.import_module(name)
        except BaseException as e:
            failed[name] = "%s: %s" % (type(e).__name__, e)
    return {"names": len(all), "failed": failed}
'''

USE = r'''
import bz2, ctypes, ctypes.util, curses.panel, dbm.gnu, decimal, hashlib, lzma, os, pickle, readline, sqlite3, ssl, sys, unicodedata, uuid, xml.etree.ElementTree, zlib, zoneinfo

def handler(event, context):
    db = sqlite3.connect("/tmp/db")
    with db:
        db.execute("create table t (a integer primary key, b text)")
        db.executemany("insert into t (b) values (?)", [("ä",), ("b",)])
    assert db.execute("select a, b from t order by a").fetchall() == [(1, "ä"), (2, "b")]
    assert db.execute("select json_extract(?, '$[1]')", ["[1, 2]"]).fetchone() == (2,)
    try:
        db.execute("select one_that_is_not")
        assert False
    except sqlite3.OperationalError as e:
        assert "no such column" in str(e)
    data = os.urandom(1000) * 1000
    for module in bz2, lzma, zlib:
        packed = module.compress(data)
        assert len(packed) < len(data) / 2 and module.decompress(packed) == data, module
    with lzma.open("/tmp/x.xz", "wb", preset=9) as f:
        f.write(data)
    assert lzma.open("/tmp/x.xz").read() == data
    with dbm.gnu.open("/tmp/gdbm", "n") as g:
        g["k"] = "v"
    with dbm.gnu.open("/tmp/gdbm") as g:
        assert g["k"] == b"v" and g.firstkey() == b"k"
    try:
        dbm.gnu.open("/tmp/none")
        assert False
    except dbm.gnu.error:
        pass
    try:
        curses.setupterm("no-such-terminal", 1)
        assert False
    except curses.error:
        pass
    readline.add_history("one")
    assert readline.get_history_item(1) == "one"
    assert ctypes.CDLL(None).abs(-3) == 3 and decimal.Decimal(1) / 3 == decimal.Decimal("0.3333333333333333333333333333")
    assert hashlib.sha3_256(b"").hexdigest().startswith("a7ffc6f8") and hashlib.scrypt(b"p", salt=b"s", n=2, r=1, p=1) and uuid.uuid1() and unicodedata.name("ä")
    assert xml.etree.ElementTree.fromstring("<a><b>ä</b></a>").find("b").text == "ä" and zoneinfo.ZoneInfo("Europe/Berlin") and ssl.create_default_context().get_ca_certs()
    return sqlite3.sqlite_version
'''
if not BUILT:
    raise unittest.SkipTest("no image of Python's is built")


def expected(version, name):
    return any(fnmatch.fnmatchcase(name, p.rpartition(":")[2]) for names in MISSING.values() for p in names if p.rpartition(":")[0] in ("", version))


class Library(Case):
    def in_each(self, source, handler):
        for image in BUILT:
            with self.subTest(image):
                f = self.function(f"t-lib-{image.replace('.', '-')}", make_zip({"f.py": source}), runtime=image, handler=handler, MemorySize=1769, Timeout=120)
                r = self.d.invoke(f, {}, tail=True)
                self.assertEqual((r.status, r.error), (200, None), f"{r}\n{r.log}")
                yield image.removeprefix("python"), r.json

    def test_every_module(self):
        for version, out in self.in_each(IMPORT, "f.handler"):
            self.assertGreater(out["names"], 500)
            self.assertEqual({name: why for name, why in out["failed"].items() if not expected(version, name)}, {}, version)

    def test_those_with_a_library_of_their_own(self):
        for version, sqlite in self.in_each(USE, "f.handler"):
            self.assertRegex(sqlite, r"^3\.\d+\.\d+$")
