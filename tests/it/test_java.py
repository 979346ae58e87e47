"""The Java runtime: kinds of handlers, JSON to objects and back, context, logs, errors, class path, options, started ahead; each version that is built."""
import base64, functools, json, re, unittest, zipfile
import javac
from harness import *

ALL = ("java8.al2", "java11", "java17", "java21", "java25")
VERSIONS = [v for v in ALL if os.path.exists(os.path.join(IMAGES, v + ".json"))]
JAVA = next((v for v in ("java21", "java25", "java17", "java11", "java8.al2") if v in VERSIONS), None)

HANDLERS = """
import com.amazonaws.services.lambda.runtime.*;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import com.amazonaws.services.lambda.runtime.serialization.PojoSerializer;
import com.amazonaws.services.lambda.runtime.serialization.events.LambdaEventSerializers;
import java.io.*;
import java.util.*;

public class Handlers {
    static int count;
    public enum Colour { RED, GREEN }
    public static class Inner { public int depth; private List<Inner> children; public List<Inner> getChildren() { return children; } public void setChildren(List<Inner> c) { children = c; } }
    public static class Pojo {
        private String name; private int n; private Long big; private boolean yes; private Colour colour; private Map<String, Double> map; private Inner inner; private byte[] data;
        private Date when; private String hidden = "h"; public String open; private String URLText;
        public String getName() { return name; } public void setName(String v) { name = v; }
        public int getN() { return n; } public void setN(int v) { n = v; }
        public Long getBig() { return big; } public void setBig(Long v) { big = v; }
        public boolean isYes() { return yes; } public void setYes(boolean v) { yes = v; }
        public Colour getColour() { return colour; } public void setColour(Colour v) { colour = v; }
        public Map<String, Double> getMap() { return map; } public void setMap(Map<String, Double> v) { map = v; }
        public Inner getInner() { return inner; } public void setInner(Inner v) { inner = v; }
        public byte[] getData() { return data; } public void setData(byte[] v) { data = v; }
        public Date getWhen() { return when; } public void setWhen(Date v) { when = v; }
        public String getURLText() { return URLText; } public void setURLText(String v) { URLText = v; }
    }
    public static class Echo implements RequestHandler<Map<String, Object>, Map<String, Object>> {
        public Map<String, Object> handleRequest(Map<String, Object> e, Context c) { return e; }
    }
    public static abstract class Base<T> implements RequestHandler<T, List<T>> {
        public List<T> handleRequest(T e, Context c) { return Arrays.asList(e, e); }
    }
    public static class Derived extends Base<Pojo> { }
    public static class Stream implements RequestStreamHandler {
        public void handleRequest(InputStream in, OutputStream out, Context c) throws IOException { byte[] b = new byte[100000]; for (int n; (n = in.read(b)) > 0; ) out.write(b, 0, n); }
    }
    public Pojo pojo(Pojo p) { return p; }
    public static String text(String s, Context c) { return s + c.getFunctionName(); }
    public int number(int n) { return n + 1; }
    public void nothing(Object o) { }
    public Object none() { return ++count; }
    public String onlyContext(Context c) { return c.getInvokedFunctionArn(); }
    public void streams(InputStream in, OutputStream out, Context c) throws IOException { out.write(("{\\"read\\":" + in.available() + "}").getBytes()); }
    public void writes(OutputStream out) throws IOException { out.write("[1]".getBytes()); }
    public String overloaded(String s) { return "short"; }
    public String overloaded(String s, Context c) { return "long"; }
    public List<Pojo> list(List<Pojo> all) { Collections.reverse(all); return all; }
    private String hidden(String s) { return s; }
    public Map<String, Object> context(Map<String, Object> e, Context c) {
        Map<String, Object> m = new TreeMap<>();
        m.put("id", c.getAwsRequestId()); m.put("arn", c.getInvokedFunctionArn()); m.put("name", c.getFunctionName()); m.put("version", c.getFunctionVersion());
        m.put("group", c.getLogGroupName()); m.put("stream", c.getLogStreamName()); m.put("memory", c.getMemoryLimitInMB()); m.put("left", c.getRemainingTimeInMillis());
        m.put("trace", System.getProperty("com.amazonaws.xray.traceHeader")); m.put("tenant", c.getTenantId());
        ClientContext cc = c.getClientContext();
        if (cc != null) { m.put("custom", cc.getCustom()); m.put("env", cc.getEnvironment()); m.put("app", cc.getClient().getAppTitle()); }
        return m;
    }
    public Map<String, Object> process(Map<String, Object> e) throws Exception {
        Map<String, Object> m = new TreeMap<>();
        m.put("env", System.getenv()); m.put("version", System.getProperty("java.specification.version")); m.put("cwd", new File(".").getCanonicalPath());
        m.put("here", new File("Handlers.class").exists()); m.put("encoding", java.nio.charset.Charset.defaultCharset().name()); m.put("zone", TimeZone.getDefault().getID());
        m.put("max", Runtime.getRuntime().maxMemory()); m.put("home", System.getProperty("java.home")); m.put("tmp", File.createTempFile("xyz", "y").getPath());
        m.put("gc", java.lang.management.ManagementFactory.getGarbageCollectorMXBeans().get(0).getName());
        m.put("class path", System.getProperty("java.class.path")); m.put("loader", Thread.currentThread().getContextClassLoader() == Handlers.class.getClassLoader());
        Process p = new ProcessBuilder("/bin/sh", "-c", "tr '\\\\000' '\\\\n' </proc/$PPID/environ; tr '\\\\000' ' ' </proc/$PPID/cmdline; cat /proc/$PPID/comm; pwd; for f in /proc/$PPID/fd/*; do echo descriptor $(readlink $f); done").start();
        StringBuilder s = new StringBuilder(); Reader r = new InputStreamReader(p.getInputStream()); for (int c; (c = r.read()) >= 0; ) s.append((char) c);
        m.put("seen", s.toString());
        return m;
    }
    public void logs(Map<String, Object> e, Context c) {
        System.out.println("out ä"); System.err.println("err"); System.out.print("no end");  System.out.println();
        LambdaLogger l = c.getLogger();
        l.log("first\\nsecond"); l.log("with its end\\n"); l.log("bytes".getBytes());
        for (LogLevel level : new LogLevel[] {LogLevel.TRACE, LogLevel.DEBUG, LogLevel.INFO, LogLevel.WARN, LogLevel.ERROR, LogLevel.FATAL}) l.log("at " + level, level);
        LambdaRuntime.getLogger().log("static");
    }
    public Object fails(Map<String, Object> e) throws Exception {
        switch ((String) e.get("how")) {
        case "checked": throw new IOException("told", new IllegalStateException("why"));
        case "none": throw new NullPointerException();
        case "error": throw new AssertionError("an error");
        case "stack": return fails(e);
        case "memory": List<byte[]> l = new ArrayList<>(); while (true) l.add(new byte[1 << 20]);
        case "exit": System.exit(3);
        case "evil": throw new Evil();
        case "ring": Exception a = new Exception("a"), b = new Exception("b", a); a.initCause(b); throw a;
        case "circle": List<Object> c = new ArrayList<>(); c.add(c); return c;
        case "sleep": Thread.sleep(60000);
        default: return count++;
        }
    }
    static class Evil extends RuntimeException {
        public String getMessage() { throw new IllegalStateException("no message"); }
        public synchronized Throwable getCause() { throw new StackOverflowError(); }
        public StackTraceElement[] getStackTrace() { return null; }
    }
    public Pojo unreadable(Pojo p) { return p; }
    public static class Serialises {
        public List<Object> h(Map<String, Object> e) throws IOException {
            if (LambdaEventSerializers.class.getClassLoader() == Serialises.class.getClassLoader()) return Arrays.asList((Object) "the package's");
            PojoSerializer<Pojo> s = LambdaEventSerializers.serializerFor(Pojo.class, Thread.currentThread().getContextClassLoader());
            String json = "{\\"name\\":\\"\u00e4\\",\\"inner\\":{\\"depth\\":2},\\"unknown\\":1}", refused = "";
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            s.toJson(s.fromJson(new ByteArrayInputStream(json.getBytes("UTF-8"))), out);
            try { s.fromJson("{"); } catch (UncheckedIOException x) { refused = "refused"; }
            String events = "com.amazonaws.services.lambda.runtime.events.";
            return Arrays.asList((Object) s.fromJson(json).getName(), out.toString("UTF-8"), refused, LambdaEventSerializers.isLambdaSupportedEvent(events + "SQSEvent"),
                LambdaEventSerializers.isLambdaSupportedEvent(events + "SQSEvent$SQSMessage"), LambdaEventSerializers.isLambdaSupportedEvent("java.util.Map"));
        }
    }
    public static class Throws { public Throws() { throw new IllegalArgumentException("in the constructor"); } public Object h(Object o) { return o; } }
    public static class Static { static int zero = 0, x = 1 / zero; public Object h(Object o) { return o; } }
    public class NonStatic { public Object h(Object o) { return o; } }
    public static class Args { public Args(int n) { } public Object h(Object o) { return o; } }
    public String big(int n) { char[] c = new char[n]; Arrays.fill(c, 'x'); return new String(c); }
}
"""


@functools.lru_cache(None)
def classes(source=HANDLERS, name="Handlers.java"):
    return javac.compiled({name: source})


def jar(files):
    return make_zip(files)


@unittest.skipUnless(JAVA, "no Java image is built (make images IMAGES=java21)")
class JavaCase(Case):
    def java(self, handler, runtime=None, files=None, suffix="", **more):
        fn = "t-" + self.id().split(".")[-1].replace("_", "-")[:40] + suffix
        return self.function(fn, make_zip(classes() if files is None else files), runtime=runtime or JAVA, handler=handler, **{"MemorySize": 1024, "Timeout": 30, **more})

    def ok(self, f, payload=None):
        r = self.d.in_turn(f, json.dumps({} if payload is None else payload), tail=True)
        self.assertEqual((r.status, r.error), (200, None), f"{r}\n{r.log}")
        return r.json

    def fails(self, f, kind, words, payload=None):
        r = self.d.in_turn(f, json.dumps({} if payload is None else payload), tail=True)
        self.assertEqual((r.status, r.error), (200, "Unhandled"), f"{r}\n{r.log}")
        self.assertEqual(r.json.get("errorType"), kind, f"{r}\n{r.log}")
        self.assertRegex(r.json["errorMessage"], words)
        return r


class Images(unittest.TestCase):
    def test_images_are_built(self):
        for v in ALL:
            with self.subTest(v):
                if v not in VERSIONS:
                    self.skipTest(f"the {v} image is not built (make images IMAGES={v})")


class Units(unittest.TestCase):
    """Of the client, by the machine's own virtual machine."""

    def run_with_it(self, name, *arguments):
        with open(os.path.join(TOP, f"tests/fixtures/java/{name}.java")) as f, tempfile.TemporaryDirectory() as d:
            for path, data in javac.compiled({f"fnd/runtime/{name}.java": f.read()}).items():
                os.makedirs(os.path.join(d, os.path.dirname(path)), exist_ok=True)
                with open(os.path.join(d, path), "wb") as to:
                    to.write(data)
            java = os.path.join(os.path.dirname(os.path.realpath(javac.JAVAC)), "java")
            r = subprocess.run([java, "-Xss512k", "-XX:TieredStopAtLevel=1", "-cp", f"{javac.runtime()}:{d}", "fnd.runtime." + name, *arguments], capture_output=True, text=True, timeout=120 * SLOW)
            self.assertEqual(r.returncode, 0, r.stdout + r.stderr)

    def test_json(self):
        self.run_with_it("JsonFuzz", str(random.randrange(1 << 40)), "800")

    def test_values(self):
        self.run_with_it("Values")


class Handlers(JavaCase):
    def test_every_version(self):
        for i, v in enumerate(VERSIONS):
            with self.subTest(v):
                f = self.java("Handlers::process", runtime=v, suffix=f"-{i}")
                got = self.ok(f)
                number = v[4:].split(".")[0]
                self.assertEqual(got["version"], "1.8" if number == "8" else number)
                self.assertEqual((got["cwd"], got["here"], got["encoding"], got["zone"], got["loader"]), ("/var/task", True, "UTF-8", "UTC", True))
                self.assertEqual(got["env"]["AWS_EXECUTION_ENV"], "AWS_Lambda_" + v)
                self.assertAlmostEqual(got["max"] / (1024 * 2**20 * 0.85), 1, delta=0.05)
                self.assertEqual((got["gc"], got["class path"]), ("Copy", "/var/runtime/lib/fnd-java-runtime.jar"))
                self.assertTrue(got["home"].startswith("/var/lang"), got["home"])
                self.assertNotIn("WARNING", self.d.invoke(f, {}, tail=True).log)

    def test_signatures(self):
        f = self.java("Handlers::pojo")
        arn = self.ok(self.java("Handlers::onlyContext", suffix="-c"))
        self.assertTrue(arn.endswith(":function:t-test-signatures-c"), arn)
        for handler, event, want in (
                ("Handlers$Echo", {"a": [1, 2.5, True, "ä\U0001f600\n"], "b": {"c": {}}}, None), ("Handlers$Stream", [1, {"x": "y"}], None), ("Handlers::text", "hello ", "hello " + f),
                ("Handlers::number", 41, 42), ("Handlers::number", "41", 42), ("Handlers::nothing", {"x": 1}, "null"), ("Handlers::none", {}, 1), ("Handlers::streams", {"abc": 1}, {"read": 10}),
                ("Handlers::writes", {}, [1]), ("Handlers::overloaded", "x", "long")):
            with self.subTest(handler):
                self.d.configure(f, Handler=handler)
                self.assertEqual(self.ok(f, event), None if want == "null" else event if want is None else want)

    def test_objects(self):
        f = self.java("Handlers::pojo")
        whole = {"name": "ä", "n": 3, "big": 2**40, "yes": True, "colour": "GREEN", "map": {"a": 1.5, "b": 2.0}, "inner": {"depth": 1, "children": [{"depth": 2}]},
                 "data": base64.b64encode(b"\0\1\2").decode(), "when": 1700000000123, "open": "o", "URLText": "u"}
        self.assertEqual(self.ok(f, whole), whole)
        # what is null is left out, what is unknown passed by, what is private neither read nor written
        self.assertEqual(self.ok(f, {"unknown": {"a": [1, {}]}, "name": None, "hidden": "x", "colour": "BLUE", "n": "7", "yes": "true"}), {"n": 7, "yes": True})
        self.assertEqual(self.ok(f, {"n": 2.9, "inner": "", "name": 5}), {"n": 2, "yes": False, "name": "5"})
        self.assertEqual(self.ok(f, {"when": "2023-11-14T22:13:20.123Z"})["when"], 1700000000123)
        self.d.configure(f, Handler="Handlers::list")
        self.assertEqual(self.ok(f, [{"n": 1}, {"n": 2}]), [{"n": 2, "yes": False}, {"n": 1, "yes": False}])
        self.assertEqual(self.ok(f, {"n": 1}), [{"n": 1, "yes": False}])  # one is a list of one
        self.d.configure(f, Handler="Handlers$Derived")
        self.assertEqual(self.ok(f, {"n": 1}), [{"n": 1, "yes": False}] * 2)
        self.d.configure(f, Handler="Handlers::pojo")
        r = self.fails(f, "java.lang.RuntimeException", "^An error occurred during JSON parsing$", {"n": "x"})
        self.assertIn("not a valid Integer", r.json["cause"]["errorMessage"])
        self.fails(f, "java.lang.RuntimeException", "^An error occurred during JSON parsing$", [1, 2])

    def test_context(self):
        f = self.java("Handlers::context", MemorySize=512)
        given = base64.b64encode(json.dumps({"custom": {"k": "vä"}, "env": {"e": "1"}, "client": {"app_title": "t"}}).encode()).decode()
        r = self.d.invoke(f, {}, headers={"X-Amz-Client-Context": given})
        got = r.json
        self.assertEqual((got["id"], got["name"], got["version"], got["memory"], got["group"]), (r.headers["x-amzn-requestid"], f, "$LATEST", 512, "/aws/lambda/" + f))
        self.assertEqual((got["arn"], got["custom"], got["env"], got["app"]), (ARN + f, {"k": "vä"}, {"e": "1"}, "t"))
        self.assertTrue(20000 < got["left"] <= 30000 and got["stream"] and got["trace"].startswith("Root=1-"), got)
        self.assertNotIn("tenant", got)
        t = self.java("Handlers::context", suffix="-tenant", TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
        self.assertEqual(self.d.invoke(t, {}, headers={"X-Amz-Tenant-Id": "blue"}).json["tenant"], "blue")

    def test_large(self):
        f = self.java("Handlers$Echo", MemorySize=1769)
        event = json.dumps({"text": "ä" * 2900000}, ensure_ascii=False, separators=(",", ":")).encode()
        self.assertEqual(self.d.invoke(f, event).body, event)
        self.d.configure(f, Handler="Handlers::big")
        self.assertEqual(len(self.ok(f, 6 * 2**20)), 6 * 2**20)
        self.fails(f, "Function.ResponseSizeTooLarge", "exceeded maximum", 6 * 2**20 + 200)
        self.assertEqual(self.ok(f, 3), "xxx")


class Logs(JavaCase):
    def lines(self, f):
        r = self.d.invoke(f, {}, tail=True)
        self.assertEqual((r.status, r.error), (200, None), f"{r}\n{r.log}")
        return r.log.splitlines(), r

    def test_text(self):
        lines = [l for l in self.d.invoke(self.java("Handlers::logs"), {}, tail=True).log.split("\n") if not re.match("START|END|REPORT|INIT|RequestId|$", l)]
        self.assertEqual(sorted(lines[:3]), ["err", "no end", "out ä"])  # two pipes
        self.assertEqual(lines[3:], ["first", "second", "with its end", "bytes", "[TRACE] at TRACE", "[DEBUG] at DEBUG", "[INFO] at INFO", "[WARN] at WARN", "[ERROR] at ERROR", "[FATAL] at FATAL", "static"])

    def test_json_and_levels(self):
        f = self.java("Handlers::logs", LoggingConfig={"LogFormat": "JSON"})
        r = self.d.invoke(f, {}, tail=True)
        records = [json.loads(l) for l in r.log.splitlines() if l.startswith('{"timestamp"') and "AWSRequestId" in l]
        self.assertEqual([(x["level"], x["message"]) for x in records], [("UNDEFINED", "first\nsecond"), ("UNDEFINED", "with its end\n"), ("INFO", "at INFO"), ("WARN", "at WARN"), ("ERROR", "at ERROR"), ("FATAL", "at FATAL"), ("UNDEFINED", "static")], r.log)
        self.assertEqual({x["AWSRequestId"] for x in records}, {r.headers["x-amzn-requestid"]})
        self.assertRegex(records[0]["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


class Errors(JavaCase):
    def test_thrown(self):
        f = self.java("Handlers::fails")
        r = self.fails(f, "java.io.IOException", "^told$", {"how": "checked"})
        self.assertEqual(list(r.json), ["errorMessage", "errorType", "stackTrace", "cause"])
        self.assertRegex(r.json["stackTrace"][0], r"^Handlers\.fails\(Handlers\.java:\d+\)$")
        self.assertEqual(len(r.json["stackTrace"]), 1, r.json)  # nothing of the runtime's
        self.assertEqual((r.json["cause"]["errorType"], r.json["cause"]["errorMessage"]), ("java.lang.IllegalStateException", "why"))
        self.assertIn("told: java.io.IOException\njava.io.IOException: told\n\tat Handlers.fails(Handlers.java:", r.log)
        self.assertIn("\nCaused by: java.lang.IllegalStateException: why\n", r.log)
        self.assertEqual(self.ok(f, {"how": "count"}), 0)
        r = self.fails(f, "java.lang.NullPointerException", "^java.lang.NullPointerException$", {"how": "none"})
        r = self.fails(f, "Handlers$Evil", r"^Handlers\$Evil$", {"how": "evil"})  # none of whose methods can be relied on
        self.assertIn("\nHandlers$Evil: Handlers$Evil\nHandlers$Evil", r.log)
        r = self.fails(f, "java.lang.Exception", "^a$", {"how": "ring"})
        self.assertEqual((r.json["cause"]["errorMessage"], "cause" in r.json["cause"]), ("b", False), r.json)
        self.fails(f, "java.lang.AssertionError", "^an error$", {"how": "error"})
        self.fails(f, "java.lang.RuntimeException", "^An error occurred during JSON serialization of response$", {"how": "circle"})
        self.assertEqual(self.ok(f, {"how": "count"}), 1)  # still the same process

    def test_ends_the_process(self):
        f = self.java("Handlers::fails", Timeout=20)
        self.assertEqual(self.ok(f, {"how": "count"}), 0)
        self.fails(f, "java.lang.StackOverflowError", "StackOverflow", {"how": "stack"})
        self.assertEqual(self.ok(f, {"how": "count"}), 0)
        self.fails(f, "java.lang.OutOfMemoryError", "Java heap space", {"how": "memory"})
        self.fails(f, "Runtime.ExitError", "exit status 3", {"how": "exit"})
        self.d.configure(f, Timeout=2)
        self.fails(f, "Sandbox.Timedout", r"Task timed out after 2.00 seconds", {"how": "sleep"})
        self.assertEqual(self.ok(f, {"how": "count"}), 0)

    def test_not_to_be_loaded(self):
        f = self.java("Handlers::none")
        for handler, kind, words in (("Nobody::x", "java.lang.ClassNotFoundException", "^Class not found: Nobody$"), ("Handlers::hidden", None, "^No public method named hidden with appropriate method signature found on class Handlers$"),
                                     ("Handlers", None, "^Class does not implement an appropriate handler interface: Handlers$"), ("::x", None, "^Invalid handler: `::x'$"),
                                     ("Handlers$Throws::h", "java.lang.IllegalArgumentException", "^in the constructor$"), ("Handlers$Static::h", "java.lang.ExceptionInInitializerError", "Error loading class Handlers.Static"),
                                     ("Handlers$NonStatic::h", "java.lang.Exception", "non-static inner class"), ("Handlers$Args::h", "java.lang.Exception", "has no public zero-argument constructor")):
            with self.subTest(handler):
                self.d.configure(f, Handler=handler)
                r = self.fails(f, kind, words)
                self.assertNotIn("stackTrace", r.json)


class ClassPath(JavaCase):
    def test_jars(self):
        library = javac.compiled({"p/Lib.java": "package p; public class Lib { public static String who() { return \"%s\"; } }" % "lib"})
        layer = javac.compiled({"p/Lib.java": "package p; public class Lib { public static String who() { return \"layer\"; } }", "p/Deep.java": "package p; public class Deep { public static String who() { return \"deep\"; } }"})
        main = javac.compiled({"p/Main.java": "package p; import java.io.*; public class Main { public String h() throws Exception { StringBuilder s = new StringBuilder(Lib.who() + \" \" + Deep.who() + \" \");"
                               "InputStream in = Main.class.getResourceAsStream(\"/data.txt\"); for (int c; (c = in.read()) >= 0; ) s.append((char) c); return s.toString(); } }", "p/Lib.java": "package p; public class Lib { public static String who() { return null; } }",
                               "p/Deep.java": "package p; public class Deep { public static String who() { return null; } }"})
        z = self.d.request("POST", "/2018-10-31/layers/t-java-lib/versions", {"Content": {"ZipFile": base64.b64encode(make_zip({"java/lib/z.jar": jar(layer)})).decode()}})
        self.assertEqual(z.status, 201, z)
        # classes at the root (an uber-jar as the package), lib/ of the function, lib of layers: in that order
        f = self.java("p.Main::h", files={"p/Main.class": main["p/Main.class"], "lib/b.jar": jar(library), "lib/a.jar": jar({"data.txt": "text"})}, Layers=[z.json["LayerVersionArn"]])
        self.assertEqual(self.ok(f), "lib deep text")
        own = javac.compiled({"com/amazonaws/services/lambda/runtime/Mine.java": "package com.amazonaws.services.lambda.runtime; public class Mine { public boolean h(Object o, Context c) { return c instanceof Context; } }"})
        g = self.java("com.amazonaws.services.lambda.runtime.Mine::h", files={"lib/core.jar": jar({**own, "com/amazonaws/services/lambda/runtime/Context.class": b"broken"})}, suffix="-core")
        self.assertIs(self.ok(g), True)  # the interfaces are the runtime's own

    def test_the_serialisation_that_frameworks_expect(self):
        """Spring Cloud Function takes LambdaEventSerializers for provided; a package with aws-lambda-java-serialization of its own has that."""
        name, text, *rest = self.ok(self.java("Handlers$Serialises::h"))
        self.assertEqual((name, rest), ("ä", ["refused", True, False, False]))
        self.assertEqual({k: v for k, v in json.loads(text).items() if k in ("name", "inner", "unknown")}, {"name": "ä", "inner": {"depth": 2}})
        place = "com/amazonaws/services/lambda/runtime/serialization/"
        own = {path: data for path, data in javac.compiled({
            place + "PojoSerializer.java": "package com.amazonaws.services.lambda.runtime.serialization; public interface PojoSerializer<T> { }",
            place + "events/LambdaEventSerializers.java": "package com.amazonaws.services.lambda.runtime.serialization.events; public class LambdaEventSerializers { }"}).items()}
        self.assertEqual(self.ok(self.java("Handlers$Serialises::h", files={**classes(), **own}, suffix="-own")), ["the package's"])

    def test_options(self):
        f = self.java("Handlers::process", Environment={"Variables": {"JAVA_TOOL_OPTIONS": "-XX:+UseParallelGC -Xmx100m -Dx=y"}})
        r = self.d.invoke(f, {}, tail=True)
        self.assertEqual((r.json["gc"][:3], r.json["max"] >> 20 <= 100), ("PS ", True), r.json)
        self.assertIn("Picked up JAVA_TOOL_OPTIONS: -XX:+UseParallelGC -Xmx100m -Dx=y", self.d.fnctl("logs", f).stdout)

    def test_wrapper(self):
        name = "t-wrapper"
        self.function(name, make_zip({**classes(), "wrap": "#!/bin/sh\nexport WRAPPED=yes\nexec \"$@\"\n"}, {"wrap": 0o755}), runtime=JAVA, handler="Handlers::process", MemorySize=1024, Timeout=30,
                      Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}})
        self.assertEqual(self.ok(name)["env"]["WRAPPED"], "yes")


class Ahead(JavaCase):
    def test_the_same_as_plain(self):
        """What a function finds in a process that was started ahead, and in one that was not."""
        for v in VERSIONS:
            with self.subTest(v):
                plain = self.daemon(prestarted_most=0, prepared_most=0)
                ahead = self.daemon(prestarted_least=2)
                found = []
                for d in (plain, ahead):
                    d.create("f", make_zip(classes()), runtime=v, handler="Handlers::process", MemorySize=512, Timeout=30, Environment={"Variables": {"MINE": "ä", "HOME": "/tmp"}})
                    if d is ahead:
                        wait_until("Java has been started ahead", lambda: any(k.startswith(v + "-") and n for k, n in d.doctor()["Prepared"].items()))
                    r = d.invoke("f", {}, tail=True)
                    self.assertEqual((r.status, r.error), (200, None), f"{r} {r.log}")
                    got = json.loads(r.body.replace(f"127.0.0.1:{d.port}".encode(), b"127.0.0.1:PORT"))
                    seen = re.sub(r"AWS_(SECRET|SESSION|ACCESS)[^\n]*|[^\n]*LOG_STREAM[^\n]*|_X_AMZN_TRACE_ID[^\n]*", "", got["seen"]).splitlines()
                    # of the descriptors what they are: java.net keeps one of its own, and the runtime's archive is opened when a class is looked for in vain
                    got["seen"] = sorted({re.sub(r"\[\d+\]$", "", x) for x in seen} - {"", "descriptor /var/runtime/lib/fnd-java-runtime.jar"})
                    for name in ("AWS_LAMBDA_LOG_STREAM_NAME", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"):
                        got["env"].pop(name, None)
                    got.pop("tmp")
                    found.append((got, "prestarted" in r.log or "started ahead" in r.log))
                self.assertEqual(found[0][0], found[1][0])


class SnapStart(JavaCase):
    SOURCE = """
import com.amazonaws.services.lambda.crac.*;
public class S implements Resource {
    static S one = new S();
    static { Core.getGlobalContext().register(one); System.out.println("init type " + System.getenv("AWS_LAMBDA_INITIALIZATION_TYPE")); }
    public void beforeCheckpoint(Context<? extends Resource> c) { System.out.println("before the snapshot"); }
    public void afterRestore(Context<? extends Resource> c) { System.out.println("after the snapshot"); }
    public static String h() { return "here"; }
}
"""

    def test_hooks_and_a_plain_start(self):
        runtime = next((v for v in VERSIONS if v != "java8.al2"), None) or self.skipTest("java8.al2 has no SnapStart")
        f = self.java("S::h", runtime=runtime, files=javac.compiled({"S.java": self.SOURCE}), SnapStart={"ApplyOn": "PublishedVersions"}, Publish=True)
        config = lambda: self.d.request("GET", f"/2015-03-31/functions/{f}/configuration?Qualifier=1").json
        wait_until("the version is Active", lambda: config()["State"] == "Active")
        self.assertEqual(config()["SnapStart"], {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"})
        self.assertIn("the runtime takes no snapshots", config()["StateReason"])
        self.assertEqual(self.d.invoke(f, {}, query="?Qualifier=1").json, "here")
        log = self.d.fnctl("logs", f).stdout
        for line in ("init type snap-start", "before the snapshot", "after the snapshot", "init type on-demand"):
            self.assertIn(line, log)
        r = self.d.create(f + "-8", make_zip({"f": ""}), runtime="java8.al2", handler="x", expect=None, SnapStart={"ApplyOn": "PublishedVersions"})
        self.assertIn("java8.al2 is not supported for SnapStart enabled functions", r.body.decode()) if "java8.al2" in VERSIONS else None
