"""An archive of a Java function's own classes: when one is made, what begins from it, whose it is, what becomes of one that fails."""
import glob, unittest
import javac
from harness import *
from test_java import VERSIONS

TRAINED = [v for v in VERSIONS if v in ("java17", "java21", "java25")]
JAVA = next((v for v in ("java21", "java25", "java17") if v in TRAINED), None)
CLASSES = 150
# A handler that needs many classes, and a lambda of each.
LIBRARY = {f"lib/C{i}.java": f"""package lib; import java.util.function.*;
public class C{i} {{ static int count; public static int go(int n) {{ Function<Integer, Integer> f = x -> x + {i}; Supplier<String> s = () -> "c" + n; count += s.get().length(); return f.apply(n); }} }}""" for i in range(CLASSES)}
HANDLER = {"Many.java": """
import java.io.*;
import java.util.*;
import com.amazonaws.services.lambda.runtime.*;

public class Many implements RequestHandler<Map<String, Object>, Object> {
    static final int SUM;
    static final String ARCHIVE = System.getenv("_FND_ARCHIVE");
    static { int n = 0; """ + " ".join(f"n = lib.C{i}.go(n);" for i in range(CLASSES)) + """ SUM = n; System.out.println("init of " + System.getenv("AWS_LAMBDA_INITIALIZATION_TYPE")); }
    public interface Greeter { String greet(); }
    public static class Hello implements Greeter { public String greet() { return "hello"; } }
    static String text(InputStream in) throws IOException { ByteArrayOutputStream b = new ByteArrayOutputStream(); for (int c; (c = in.read()) >= 0; ) b.write(c); return b.toString("UTF-8"); }
    public Object handleRequest(Map<String, Object> e, Context c) {
        try {
            if (e.containsKey("sleep")) Thread.sleep(((Number) e.get("sleep")).longValue());
            Map<String, Object> m = new TreeMap<>();
            ClassLoader l = Many.class.getClassLoader();
            m.put("sum", SUM); m.put("archive", ARCHIVE == null && System.getenv("_FND_ARCHIVE") == null); m.put("context loader", Thread.currentThread().getContextClassLoader() == l);
            m.put("resource", text(l.getResourceAsStream("data.txt"))); m.put("where", String.valueOf(l.getResource("data.txt"))); m.put("source", Many.class.getProtectionDomain().getCodeSource().getLocation().toString());
            m.put("library", Class.forName("lib.C0", true, l).getProtectionDomain().getCodeSource().getLocation().toString());
            List<String> found = new ArrayList<>(); for (Greeter g : ServiceLoader.load(Greeter.class)) found.add(g.greet()); m.put("services", found);
            List<String> all = new ArrayList<>(); for (Enumeration<java.net.URL> u = l.getResources("data.txt"); u.hasMoreElements(); ) all.add(u.nextElement().toString()); m.put("all", all);
            m.put("package", Many.class.getPackage() == null ? null : lib.C0.class.getPackage().getImplementationVersion());
            m.put("core", Context.class.getProtectionDomain().getCodeSource() == null ? null : Context.class.getProtectionDomain().getCodeSource().getLocation().toString());
            m.put("environment", System.getenv().keySet()); m.put("type", System.getenv("AWS_LAMBDA_INITIALIZATION_TYPE")); m.put("cwd", new File(".").getCanonicalPath());
            return m;
        } catch (Exception x) { throw new RuntimeException(x); }
    }
}
"""}


def package(shape):
    """The same classes as lib/*.jar alone, or with the handler's at the root, or all there as an uber-jar has them."""
    classes = javac.compiled({**LIBRARY, **HANDLER})
    own = {k: v for k, v in classes.items() if not k.startswith("lib/")}
    own.update({"data.txt": "text", "META-INF/services/Many$Greeter": "Many$Hello"})
    library = make_zip({**{k: v for k, v in classes.items() if k.startswith("lib/")}, "META-INF/MANIFEST.MF": "Manifest-Version: 1.0\nImplementation-Version: 7\n\n"})
    core = make_zip({"com/amazonaws/services/lambda/runtime/Context.class": b"broken"})
    if shape == "lib":
        return make_zip({"lib/b.jar": make_zip(own), "lib/c.jar": library, "lib/a-core.jar": core})
    if shape == "root":
        return make_zip({**own, "lib/c.jar": library, "lib/a-core.jar": core})
    return make_zip({**{k: v for k, v in classes.items()}, **own})


@unittest.skipUnless(JAVA, "no image of Java 17 or later is built (make images IMAGES=java21)")
class ArchiveCase(Case):
    CONFIG = {"class_archive_ms": 1, "prestarted_most": 0, "prestarted_least": 0}

    def setUp(self):
        super().setUp()
        self.d = self.daemon(**self.CONFIG)

    def java(self, name="f", shape="lib", runtime=None, **more):
        self.d.create(name, package(shape) if isinstance(shape, str) else make_zip(shape), runtime=runtime or JAVA, **{"handler": "Many", "MemorySize": 512, "Timeout": 30, **more})
        self.d.settled(name)

    def invoke(self, name="f", payload=None, **more):
        r = self.d.in_turn(name, {} if payload is None else payload, tail=True, **more)
        self.assertEqual((r.status, r.error), (200, None), f"{r}\n{r.log}")
        return r

    def archives(self):
        return {i["Name"]: i for i in self.d.request("GET", "/_fnd/disk").json["Items"] if i["Kind"] == "class archive"}

    def made(self, n=1):
        wait_until(f"{n} archives have been made", lambda: sum(i["State"] == "ready" for i in self.archives().values()) == n, 120)

    def cold(self, name="f", **more):
        """In an environment that is new."""
        before = self.d.request("GET", f"/2015-03-31/functions/{name}/configuration").json["Description"]
        self.d.configure(name, Description=before + "x")
        return self.invoke(name, **more)

    def trained(self, name="f", **more):
        """One that has an archive, and has begun from it."""
        self.java(name, **more)
        self.invoke(name)
        self.made()
        self.assertIn("class archive", self.cold(name).log)
        return next(iter(self.archives()))

    def refused(self, words, name="f"):
        """None is made, and starts say why."""
        self.invoke(name)
        found = []

        def said():
            found[:] = [l for l in self.cold(name).log.splitlines() if "no class archive" in l]
            return found
        wait_until("a start says why there is no archive", said, 120)
        self.assertRegex(found[0], "no class archive: " + words)
        wait_until("what was begun of one has gone", lambda: not self.archives())


class Archives(ArchiveCase):
    def test_every_shape_and_version(self):
        for v in TRAINED:
            for shape in ("lib", "root", "uber"):
                with self.subTest(runtime=v, shape=shape):
                    name = f"{shape}-{v}"
                    self.java(name, shape, v)
                    plain = self.invoke(name)
                    self.assertNotIn("class archive", plain.log)
                    self.made(1)
                    archived = self.cold(name)
                    self.assertRegex(archived.log, r"Cold Start: .*class archive", archived.log)
                    self.assertEqual(archived.json, plain.json)
                    self.d.delete(name)
                    wait_until("the archive has gone", lambda: not self.archives())

    def test_what_the_first_invocation_loads(self):
        """Is in it, too: of a directory from Java 21 on; lambdas where HotSpot's lists of classes name them and the class path is the virtual machine's own."""
        late = {"Late.java": "public class Late { public static String h(Object o) { return \"\" + lib.C0.go(1) + lib.C1.go(2); } }"}
        classes = javac.compiled({**{k: v for k, v in LIBRARY.items() if k in ("lib/C0.java", "lib/C1.java")}, **late})
        shapes = {"lib": {"lib/all.jar": make_zip(classes)}, "root": classes}
        for v in TRAINED:
            for shape, files in shapes.items():
                with self.subTest(runtime=v, shape=shape):
                    name = f"late-{shape}-{v}"
                    self.java(name, files, v, handler="Late::h", Environment={"Variables": {"JAVA_TOOL_OPTIONS": "-Xlog:class+load"}})
                    loaded = lambda log: {m[1]: "shared" in m[2] for m in re.finditer(r"\[class,load *\] (lib\.C\S+) source: (.*)", log)}
                    plain = loaded(self.whole(name))
                    self.assertFalse(any(plain.values()), plain)
                    self.assertEqual({k.split("/")[0].split("$")[0] for k in plain}, {"lib.C0", "lib.C1"})
                    self.made(1)
                    found = loaded(self.whole(name))
                    lambdas = {k: found.pop(k) for k in list(found) if "$" in k}
                    self.assertEqual(found, dict.fromkeys(("lib.C0", "lib.C1"), shape == "lib" or v != "java17"))
                    self.assertEqual((len(lambdas), all(lambdas.values())), (4, shape == "lib" and v != "java25"), lambdas)
                    self.d.delete(name)
                    wait_until("the archive has gone", lambda: not self.archives())

    def whole(self, name):
        """What a new environment's start and first invocation have logged; more than the last 4 KB."""
        request = self.cold(name).headers["x-amzn-requestid"]
        said = []

        def complete():
            said[:] = [self.d.fnctl("logs", name).stdout]
            return f"REPORT RequestId: {request}" in said[0]
        wait_until("its log is there", complete)
        return said[0][said[0].rindex("java.lang.Object source"):]

    def test_layers_and_options(self):
        library = javac.compiled({"p/L.java": "package p; public class L { public static String who() { return \"layer \" + System.getProperty(\"x\"); } }"})
        layer = self.d.request("POST", "/2018-10-31/layers/t-archive/versions", {"Content": {"ZipFile": base64.b64encode(make_zip({"java/lib/z.jar": make_zip(library)})).decode()}})
        with_layer = {k: v for k, v in javac.compiled({"M.java": "public class M { public static String h(Object o) { return p.L.who(); } }", "p/L.java": "package p; public class L { public static String who() { return null; } }"}).items() if k == "M.class"}
        self.trained(shape={"lib/m.jar": make_zip(with_layer)}, handler="M::h", Layers=[layer.json["LayerVersionArn"]], Environment={"Variables": {"JAVA_TOOL_OPTIONS": "-Dx=y -XX:+UseParallelGC"}})
        self.assertEqual(self.invoke().json, "layer y")
        self.d.configure("f", Environment={"Variables": {"JAVA_TOOL_OPTIONS": "-Xshare:off"}})
        self.refused("JAVA_TOOL_OPTIONS has archives of its own")

    def test_whose_it_is(self):
        """Versions that are the same share it, another function with the same package has its own, and it goes with the last that it is of."""
        tree = self.trained()
        v = self.d.request("POST", "/2015-03-31/functions/f/versions", {}).json["Version"]
        self.assertIn("class archive", self.invoke(query="?Qualifier=" + v).log)
        self.assertEqual(self.archives()[tree]["Owners"], ["f:$LATEST", "f:" + v])
        self.java("g")
        self.assertNotIn("class archive", self.invoke("g").log)
        self.made(2)
        self.d.request("PUT", "/2015-03-31/functions/f/code", {"ZipFile": base64.b64encode(package("root")).decode()})
        self.d.settled("f")
        self.assertNotIn("class archive", self.invoke().log)
        self.made(3)
        self.assertEqual(self.archives()[tree]["Owners"], ["f:" + v])
        self.d.delete("g")
        self.assertEqual(self.d.request("DELETE", "/2015-03-31/functions/f?Qualifier=" + v).status, 204)
        wait_until("two have gone", lambda: len(self.archives()) == 1 and tree not in self.archives())

    def test_where_it_begins_others(self):
        """Environments that are provisioned, those of tenants, and a version with SnapStart, which Java starts plainly."""
        source = """public class H { public static Object h(Object o) throws Exception { return new Object[] {System.getenv("AWS_LAMBDA_INITIALIZATION_TYPE"),
            new String(java.nio.file.Files.readAllBytes(java.nio.file.Paths.get("/proc/self/cmdline"))).contains("/var/archive/classes")}; } }"""
        shape = javac.compiled({"H.java": source})
        self.trained(shape=shape, handler="H::h")
        v = self.d.request("POST", "/2015-03-31/functions/f/versions", {}).json["Version"]
        path = "/2019-09-30/functions/f/provisioned-concurrency?Qualifier=" + v
        self.assertEqual(self.d.request("PUT", path, {"ProvisionedConcurrentExecutions": 1}).status, 202)
        wait_until("one is provisioned", lambda: self.d.request("GET", path).json["Status"] == "READY")
        self.assertEqual(self.invoke(query="?Qualifier=" + v).json, ["provisioned-concurrency", True])
        self.java("t", shape, handler="H::h", TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
        tenant = lambda name: self.invoke("t", headers={"X-Amz-Tenant-Id": name}).json
        self.assertEqual(tenant("blue"), ["on-demand", False])
        self.made(2)
        self.assertEqual(tenant("green"), ["on-demand", True])
        self.java("s", shape, handler="H::h", SnapStart={"ApplyOn": "PublishedVersions"})
        self.invoke("s")
        self.made(3)
        v = self.d.request("POST", "/2015-03-31/functions/s/versions", {}).json["Version"]
        wait_until("the version is there", lambda: self.d.request("GET", f"/2015-03-31/functions/s/configuration?Qualifier={v}").json["State"] == "Active")
        self.assertEqual(self.invoke("s", query="?Qualifier=" + v).json, ["on-demand", True])

    def test_what_fails_under_other_variables(self):
        """$LATEST is tried with others, or with too little memory, and ends in its init: the archive of a version with the same package stays what it is."""
        source = """public class H { static { if (System.getenv("END") != null) Runtime.getRuntime().halt(3); if (System.getenv("EAT") != null) { byte[][] b = new byte[400][];
            for (int i = 0; i < 400; i++) { b[i] = new byte[1 << 20]; java.util.Arrays.fill(b[i], (byte) 1); } } } public static int h(Object o) { return 1; } }"""
        tree = self.trained(shape=javac.compiled({"H.java": source}), handler="H::h")
        v = self.d.request("POST", "/2015-03-31/functions/f/versions", {}).json["Version"]
        for change in ({"Environment": {"Variables": {"END": "1"}}}, {"Environment": {"Variables": {"EAT": "1"}}, "MemorySize": 128}):
            self.d.configure("f", **change)
            self.assertTrue(self.d.invoke("f", {}).error)
            self.assertEqual(self.archives()[tree]["Owners"], ["f:" + v])
        self.assertIn("class archive", self.invoke(query="?Qualifier=" + v).log)
        self.assertNotIn("from the archive of its classes has failed", self.d.log())

    def test_survives_a_restart(self):
        tree = self.trained()
        self.d.stop()
        self.d.start()
        self.assertIn("class archive", self.invoke().log)
        self.assertEqual(list(self.archives()), [tree])
        self.assertEqual(self.d.fnctl("disk", "--check").returncode, 0)

    def test_what_cannot_be_made(self):
        source = "public class H { static { Runtime.getRuntime().addShutdownHook(new Thread(() -> Runtime.getRuntime().halt(3))); } public static int h(Object o) { return 1; } }"
        self.java(shape=javac.compiled({"H.java": source}), handler="H::h")
        self.refused("the runtime ended during init: exit status 3")

    def test_its_own_words(self):
        """A function may say itself why it has none: that is a text in its log's JSON, and no JSON."""
        words = 'none", "prepared": "x' + "\u00e4" * 60  # it is cut in the middle of a letter
        source = """import java.io.*; import java.net.*; public class H { static { if (new File("/tmp/.fnd-archive").exists()) try {
            HttpURLConnection c = (HttpURLConnection) new URL("http://" + System.getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/snapshot/refused").openConnection();
            c.setRequestMethod("POST"); c.setDoOutput(true); c.getOutputStream().write(WORDS.getBytes("UTF-8")); c.getResponseCode(); } catch (Exception e) { throw new RuntimeException(e); } }
            public static int h(Object o) { return 1; } }""".replace("WORDS", json.dumps(words))
        self.java(shape=javac.compiled({"H.java": source}), handler="H::h")
        self.refused('none", "prepared": "x')
        self.d.configure("f", LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "DEBUG"})
        record = next(json.loads(l)["record"] for l in self.invoke().log.splitlines() if "fnd.coldStart" in l)
        self.assertNotEqual(record["prepared"], "x")
        self.assertIn('none", "prepared": "x', record["obstacle"])

    def test_no_room(self):
        self.java(shape=javac.compiled({"H.java": "public class H { public static int h(Object o) { return 1; } }"}), handler="H::h")
        budget = (self.d.request("GET", "/_fnd/disk").json["Bytes"] >> 20) + 100
        self.d.stop()
        self.d.set_config({**self.CONFIG, "disk_budget_mb": budget})
        self.d.start()
        self.refused("disk_budget_mb has no room for one")

    def file(self, tree):
        path = os.path.join(self.d.state, "roots", tree, "var/archive/classes")
        self.assertTrue(os.path.exists(path), path)
        return path

    def test_the_virtual_machine_refuses_it(self):
        """Of another build of Java, say: its head is not what it expects."""
        path = self.file(self.trained())
        with open(path, "r+b") as f:
            f.write(b"\xff" * 64)
        r = self.cold()
        self.assertEqual(r.json["sum"], sum(range(CLASSES)))
        log = self.d.fnctl("logs", "f").stdout
        self.assertRegex(log, r"(?i)\[(warning|error)\]\[(cds|aot)|not a valid|bad magic")

    def test_damaged(self):
        """A start that dies of it is repeated without it, in the same invocation; it goes, and is not made again at once."""
        path = self.file(self.trained())
        size = os.path.getsize(path)
        with open(path, "r+b") as f:
            f.seek(65536)
            f.write(b"\xa5" * (size - 65536))
        self.assertEqual(self.cold().json["sum"], sum(range(CLASSES)))
        wait_until("it has gone", lambda: not self.archives())
        self.assertIn("a start from the archive of its classes has failed", self.d.log())
        self.assertIn("no class archive: a start from it failed: ", self.cold().log)

    def test_gone(self):
        """A tree that somebody has deleted is done without."""
        tree = self.trained()
        self.d.stop()
        shutil.rmtree(os.path.join(self.d.state, "roots", tree))
        self.d.start()
        self.assertNotIn("class archive\n", self.cold().log)
        self.assertIn("no class archive: it has gone", self.cold().log)


class Endless(ArchiveCase):
    CONFIG = {**ArchiveCase.CONFIG, "init_timeout_s": 1}

    def test_endless(self):
        """A run that does not end holds up the others' a minute at most, whatever the function's own timeout is; here 6 s."""
        source = "public class H { static { Runtime.getRuntime().addShutdownHook(new Thread(() -> { while (true) ; })); } public static int h(Object o) { return 1; } }"
        self.java(shape=javac.compiled({"H.java": source}), handler="H::h", Timeout=900)
        self.invoke()
        wait_until("it is given up", lambda: "starts without an archive of its classes: init did not end in time" in self.d.log())
        wait_until("nothing of it is left", lambda: not self.archives())


class Ahead(ArchiveCase):
    """Where the runtime is started ahead, what begins sooner is taken."""
    CONFIG = {"class_archive_ms": 1, "prestarted_least": 6, "prestarted_most": 8}

    def test_sooner(self):
        source = """import java.io.*; import java.util.*; public class H { public static int h(Map<String, Object> e) throws Exception {
    while (e.containsKey("hold") && !new File("/tmp/" + e.get("hold")).exists()) Thread.sleep(10);
    return 1;
} }"""
        self.java(shape=javac.compiled({"H.java": source}), handler="H::h", Timeout=60)

        def ahead():
            wait_until("some have been started ahead", lambda: any(k.startswith(JAVA) and n >= 2 for k, n in self.d.doctor()["Prepared"].items() if isinstance(n, int)))
        ahead()
        self.assertIn("runtime started ahead", self.invoke().log)
        self.made()
        self.d.idle("f")
        logs = [r.log for r in self.d.together("f", 4, lambda event: self.d.invoke("f", event, tail=True))]  # one has an environment already
        self.assertEqual(sum("class archive" in l for l in logs), 3, logs)
        ahead()
        self.d.idle("f")
        logs += [r.log for r in self.d.together("f", 5, lambda event: self.d.invoke("f", event, tail=True))]
        self.assertEqual(sum("runtime started ahead" in l for l in logs), 1, logs)
