"""What differs between families of runtimes, for test_conformance.py: the handler's source in each language, tests/fixtures/conformance/<family>, and how
errors and records of the log look in it. What a handler must do is the same for all: what is called do_... in python/f.py.

Another family is another object in FAMILIES: a subclass of Family, or one of it with other members."""
import functools, json, os, subprocess, tempfile
import compiled, javac
from harness import TOP, make_zip


class Family:
    name = None            # of the directory of its sources
    runtimes = None        # how their names begin
    handler = None
    error_keys = None      # of an error's document, in their order
    trace = "stackTrace"   # None: an error that is returned has none
    outlives_413 = True    # the process, when its answer was too large
    raised = None          # errorType of what "raise" raises
    unserialisable = ()    # errorType of a result that is no JSON, one of these; none: there is no such thing
    no_module = None       # (handler, errorType, what its message holds) of a module that is not there
    no_handler = None      # the same of a module without this handler; the source is there
    raises_early = None    # ({file: source}, handler, errorType): of code that fails as it is loaded
    layer = None           # {file of a layer: content}: what "layer" imports
    modes = {}             # of the layer's files that are no plain ones
    text_line = None       # a record of the log in the text format, a regular expression; %s is the request's id
    record = None          # members that each record has in the JSON format
    request_id = "requestId"  # of them, the invocation's
    timed = True           # its records in the JSON format have a time; without, each counts as INFO
    place = "/var/task/"   # what a trace has of the handler's file
    out_of_memory = ("Runtime.OutOfMemory", "Runtime.ExitError")
    levels = ("debug", "info", "warn", "error")
    text_levels = levels   # those that appear with the text format, as the family's logger has it by default
    prints_plainly = True  # what is printed is no record in the JSON format
    streams = None         # the handler that streams its response; None: the runtime has no such
    plain_head = None      # the prelude of a stream that the handler has given none
    http_head = {"statusCode": 201, "headers": {"a": "b"}, "cookies": ["c=d"]}  # of one that it has given this; None: it cannot
    unfinished = None      # (errorType, what its message holds) of a handler that leaves its stream open; None: that ends it
    memory = 256           # MB for everything but the test that wants more

    def files(self, runtime):
        """{path in the package: bytes}"""
        directory = os.path.join(TOP, "tests/fixtures/conformance", self.name)
        found = {}
        for name in sorted(os.listdir(directory)):
            with open(os.path.join(directory, name), "rb") as f:
                found[name] = f.read()
        return found

    def broken(self, data, end):
        """Whether this is what a client gets of a stream that fails, "midway", after "some"."""
        return data == b"some" and "midway" in end.get("ErrorDetails", "")

    def broken_whole(self, r):
        """The same of a plain Invoke."""
        return r.error == "Unhandled" and "midway" in r.json["errorMessage"]

    def told(self, record):
        """A record of the log in the JSON format, its members by the names that other families have for them."""
        return record

    def frames(self, document):
        """What a trace says of where it was raised, in one text."""
        return "\n".join(document[self.trace])


class Python(Family):
    name, runtimes, handler = "python", "python", "f.handler"
    error_keys = ["errorMessage", "errorType", "requestId", "stackTrace"]
    raised, unserialisable = "ValueError", ("Runtime.MarshalError",)
    no_module = ("g.handler", "Runtime.ImportModuleError", "Unable to import module 'g': No module named 'g'")
    no_handler = ("f.nobody", "Runtime.HandlerNotFound", "Handler 'nobody' missing on module 'f'")
    raises_early = ({"f.py": "raise KeyError('early')\n"}, "f.handler", "KeyError")
    layer = {"python/fromlayer.py": "name = 'from the layer'\n"}
    text_line = r"^\[WARNING\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t%s\tat warn ä$"
    record = {"timestamp", "level", "message", "logger", "requestId"}
    text_levels = ("warn", "error")


class Node(Family):
    name, runtimes, handler = "node", "nodejs", "index.handler"
    error_keys, trace = ["errorType", "errorMessage", "trace"], "trace"
    raised, unserialisable = "RangeError", ("Error", "Runtime.JSONStringifyError")
    no_module = ("other.handler", "Runtime.ImportModuleError", "Cannot find module 'other'")
    no_handler = ("index.nobody", "Runtime.HandlerNotFound", "index.nobody is undefined or not exported")
    raises_early = ({"index.js": "throw new TypeError('early');\n"}, "index.handler", "TypeError")
    layer = {"nodejs/node_modules/fromlayer/index.js": "exports.name = 'from the layer';\n"}
    text_line = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t%s\tWARN\tat warn ä$"
    record = {"timestamp", "level", "message", "requestId"}
    streams, unfinished = "index.stream", ("Error", "Response stream is not finished.")


class Ruby(Family):
    name, runtimes, handler = "ruby", "ruby", "f.handler"
    error_keys = ["errorMessage", "errorType", "stackTrace"]
    raised, unserialisable = "Function<ArgumentError>", ("Function<JSON::GeneratorError>",)
    no_module = ("g.handler", "Init<LoadError>", "cannot load such file -- g")
    no_handler = ("f.nobody", "Function<NoMethodError>", "undefined method")  # as on Lambda it is looked for when it is called
    raises_early = ({"f.rb": "raise KeyError, 'early'\n"}, "f.handler", "Init<KeyError>")
    layer = {"ruby/lib/fromlayer.rb": "FROM_LAYER = 'from the layer'\n"}
    text_line = r"^W, \[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6} #\d+\]  WARN %s -- : at warn ä$"
    record = {"timestamp", "level", "message", "requestId"}


class Java(Family):
    name, runtimes, handler = "java", "java", "F"
    error_keys = ["errorMessage", "errorType", "stackTrace"]
    raised, unserialisable = "java.lang.IllegalArgumentException", ("java.lang.RuntimeException",)
    no_module = ("g.Handler::handle", "java.lang.ClassNotFoundException", "Class not found: g.Handler")
    no_handler = ("F::nobody", None, "No public method named nobody with appropriate method signature found on class F")
    text_line = r"^\[WARN\] at warn ä%.0s$"  # without the request's id
    record, request_id, place = {"timestamp", "level", "message", "AWSRequestId"}, "AWSRequestId", "F.act(F.java:"
    out_of_memory = ("java.lang.OutOfMemoryError", *Family.out_of_memory)
    streams, http_head = "S", None

    def broken(self, data, end):
        """AWS's client keeps what a RequestStreamHandler writes until it has returned: without what was written before it failed."""
        return "midway" in json.loads(data)["errorMessage"] and end.get("ErrorCode") == "Unhandled"

    @functools.lru_cache(None)
    def files(self, runtime):
        return javac.compiled({n: t.decode() for n, t in super().files(runtime).items()})

    @functools.cached_property
    def layer(self):
        return {"java/lib/layer.jar": make_zip(javac.compiled({"FromLayer.java": "public class FromLayer { public static final String name = \"from the layer\"; }"}))}

    @functools.cached_property
    def raises_early(self):
        return javac.compiled({"E.java": "public class E { public E() { throw new IllegalStateException(\"early\"); } public Object h(Object o) { return o; } }"}), "E::h", "java.lang.IllegalStateException"


class Compiled(Family):
    """A program that AWS's client for its language is part of, as `bootstrap` of provided.al2023."""
    runtimes, handler, trace = "provided.al2023", "main", None
    compiler = None
    text_levels = ("info", "warn", "error")
    panic = None           # (errorType, errorMessage, whether the process lives on)
    streams = handler

    @functools.lru_cache(None)
    def files(self, runtime):
        with open(compiled.built(self.compiler, os.path.join(TOP, "tests/fixtures/conformance", self.name)), "rb") as f:
            return {"bootstrap": f.read()}


class Go(Compiled):
    name, compiler = "go", staticmethod(compiled.go)
    error_keys, outlives_413 = ["errorMessage", "errorType"], False
    raised, unserialisable = "boom", ("UnsupportedTypeError",)
    panic = "string", "at the disco", False
    layer, modes = {"bin/fromlayer": "#!/bin/sh\nprintf 'from the layer'\n"}, {"bin/fromlayer": 0o755}
    text_line = r'^timestamp=\d{4}-\d\d-\d\dT\S+ level=WARN message="at warn ä" requestId=%s$'
    record = {"timestamp", "level", "message", "requestId"}

    def broken(self, data, end):
        return super().broken(data, end) and end["ErrorCode"] == "errorString"


class Rust(Compiled):
    name, compiler = "rust", staticmethod(compiled.rust)
    error_keys = ["errorType", "errorMessage"]
    raised = "Boom"  # a result that is no JSON ends the process
    panic = "&alloc::boxed::Box<dyn core::any::Any + core::marker::Send>", "Lambda panicked: at the disco", True
    plain_head = {"statusCode": 200, "headers": {"content-type": "application/octet-stream"}}
    http_head = {**Compiled.http_head, "headers": {"a": "b", "content-type": "application/octet-stream"}}
    text_line = r'^ *WARN Lambda runtime invoke\{requestId="%s".*\}: at warn ä$'
    record, timed = {"level", "message", "requestId"}, False

    @functools.cached_property
    def layer(self):
        with tempfile.TemporaryDirectory() as d:
            with open(f"{d}/l.c", "w") as f:
                f.write('const char *from_layer(void);\nconst char *from_layer(void)\n{\n\treturn "from the layer";\n}\n')
            subprocess.run(["cc", "-shared", "-fPIC", "-o", f"{d}/l.so", f"{d}/l.c"], check=True)
            with open(f"{d}/l.so", "rb") as f:
                return {"lib/libfromlayer.so": f.read()}

    def told(self, record):
        return {**record, "message": record["fields"]["message"], "requestId": record.get("span", {}).get("requestId")}

    def broken(self, data, end):
        """Its client writes what should be trailers into the body."""
        return data.split(bytes(8))[1].startswith(b"someLambda-Runtime-Function-Error-Type: ")

    def broken_whole(self, r):
        return self.broken(r.body, {})


FAMILIES = [Python(), Node(), Ruby(), Java(), Go(), Rust()]
