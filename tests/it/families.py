"""What differs between families of runtimes, for test_conformance.py: the handler's source in each language, tests/fixtures/conformance/<family>, and how
errors and records of the log look in it. What a handler must do is the same for all: what is called do_... in python/f.py.

Another family is another object in FAMILIES: a subclass of Family, or one of it with other members."""
import functools, os
import javac
from harness import TOP, make_zip


class Family:
    name = None            # of the directory of its sources
    runtimes = None        # how their names begin
    handler = None
    error_keys = None      # of an error's document, in their order
    trace = "stackTrace"
    raised = None          # errorType of what "raise" raises
    unserialisable = ()    # errorType of a result that is no JSON, one of these; none: there is no such thing
    no_module = None       # (handler, errorType, what its message holds) of a module that is not there
    no_handler = None      # the same of a module without this handler; the source is there
    raises_early = None    # ({file: source}, handler, errorType): of code that fails as it is loaded
    layer = None           # {file of a layer: content}: what "layer" imports
    text_line = None       # a record of the log in the text format, a regular expression; %s is the request's id
    record = None          # members that each record has in the JSON format
    request_id = "requestId"  # of them, the invocation's
    place = "/var/task/"   # what a trace has of the handler's file
    out_of_memory = ("Runtime.OutOfMemory", "Runtime.ExitError")
    levels = ("debug", "info", "warn", "error")
    text_levels = levels   # those that appear with the text format, as the family's logger has it by default
    prints_plainly = True  # what is printed is no record in the JSON format
    memory = 256           # MB for everything but the test that wants more

    def files(self, runtime):
        """{path in the package: bytes}"""
        directory = os.path.join(TOP, "tests/fixtures/conformance", self.name)
        found = {}
        for name in sorted(os.listdir(directory)):
            with open(os.path.join(directory, name), "rb") as f:
                found[name] = f.read()
        return found

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

    @functools.lru_cache(None)
    def files(self, runtime):
        return javac.compiled({n: t.decode() for n, t in super().files(runtime).items()})

    @functools.cached_property
    def layer(self):
        return {"java/lib/layer.jar": make_zip(javac.compiled({"FromLayer.java": "public class FromLayer { public static final String name = \"from the layer\"; }"}))}

    @functools.cached_property
    def raises_early(self):
        return javac.compiled({"E.java": "public class E { public E() { throw new IllegalStateException(\"early\"); } public Object h(Object o) { return o; } }"}), "E::h", "java.lang.IllegalStateException"


FAMILIES = [Python(), Node(), Ruby(), Java()]
