"""A record of a runtime's log is an event of its own, also after what has been printed without a newline, by whomever: each runtime, text and JSON."""
import json, os, unittest
import javac
from harness import *

SOURCES = {
    "python3.11": ({"f.py": """
import logging, os, subprocess
log = logging.getLogger()
log.setLevel("INFO")
def handler(event, context):
    print("printed", end="")
    log.info("first\\nof two lines")
    os.write(1, b"raw")
    log.info("second")
    subprocess.run(["printf", "child"])
    raise ValueError("the end")
"""}, "f.handler", ["printed", "first", "raw", "second", "child", "the end"]),
    "nodejs22.x": ({"f.js": """
exports.handler = async () => {
    process.stdout.write('printed');
    console.log('first\\nof two lines');
    process.stderr.write('raw');
    console.log('second');
    require('child_process').spawnSync('printf', ['child'], { stdio: 'inherit' });
    throw new Error('the end');
}"""}, "f.handler", ["printed", "first", "raw", "second", "child", "the end"]),
    "ruby3.3": ({"f.rb": """
require 'logger'
def handler(event:, context:)
  print 'printed'
  Logger.new($stdout).info("first\\nof two lines")
  $stderr.print 'raw'
  Logger.new($stdout).info('second')
  system('printf child')
  raise ArgumentError, 'the end'
end
"""}, "f.handler", ["printed", "first", "raw", "second", "child", "the end"]),
    "java21": ({"F.java": """
import com.amazonaws.services.lambda.runtime.*;
public class F {
    public String handle(Object o, Context c) throws Exception {
        System.out.print("printed");
        c.getLogger().log("first\\nof two lines");
        System.err.print("raw");
        c.getLogger().log("second");
        new ProcessBuilder("printf", "child").inheritIO().start().waitFor();
        throw new IllegalStateException("the end");
    }
}"""}, "F::handle", ["printed", "first", "raw", "second", "child", "the end"]),
}


class Records(unittest.TestCase):
    """What is looked at are the events, as CloudWatch Logs has them: lines alone would not tell."""

    def setUp(self):
        self.d = shared()

    def events(self, runtime, **more):
        if not os.path.exists(os.path.join(IMAGES, runtime + ".json")):
            self.skipTest(f"no image of {runtime}")
        files, handler, _ = SOURCES[runtime]
        f = f"t-records-{runtime.replace('.', '')}"
        self.d.create(f, make_zip(javac.compiled(files) if runtime.startswith("java") else files), runtime=runtime, handler=handler, MemorySize=512, **more)
        self.addCleanup(self.d.delete, f)
        self.d.settled(f)
        r = self.d.invoke(f, {})
        self.assertEqual(r.error, "Unhandled", r)
        def found():
            events = self.d.request("POST", "/", json.dumps({"logGroupName": "/aws/lambda/" + f}), {"X-Amz-Target": "Logs_20140328.FilterLogEvents"}).json.get("events", [])
            return [e["message"] for e in events]
        last = "REPORT" if not more else "platform.report"
        wait_until(lambda: f"its log is whole: {found()}", lambda: any(last in m for m in found()))
        return [m for m in found() if any(word in m for word in SOURCES[runtime][2])]

    def check_text(self, runtime):
        events = self.events(runtime)
        words = SOURCES[runtime][2]
        for word in words[:-1]:
            [event] = [e for e in events if word in e and not "the end" in e]
            self.assertEqual([w for w in words if w in event], [word], events)
            if word in ("printed", "raw", "child"):
                self.assertEqual(event, word + "\n")
            if word == "first":
                self.assertTrue(event.endswith("first\nof two lines\n"), event)
        self.assertTrue(all(not e.startswith(("printed", "raw", "child")) for e in events if "the end" in e), events)

    def check_json(self, runtime):
        events = self.events(runtime, LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "INFO"})
        self.assertEqual([e for e in events if not e.startswith("{")], ["printed\n", "raw\n", "child\n"], events)
        for e in events:
            if e.startswith("{"):
                json.loads(e)

    def test_python(self): self.check_text("python3.11")
    def test_python_json(self): self.check_json("python3.11")
    def test_node(self): self.check_text("nodejs22.x")
    def test_node_json(self): self.check_json("nodejs22.x")
    def test_ruby(self): self.check_text("ruby3.3")
    def test_ruby_json(self): self.check_json("ruby3.3")
    def test_java(self): self.check_text("java21")
    def test_java_json(self): self.check_json("java21")

    def test_text_is_as_it_was_printed(self):
        """What tells where a record begins is no text: what is text passes, ÿ (U+00FF) too, and of bytes that are none each by itself."""
        self.d.create_python("t-records-text", "import os\ndef handler(event, context):\n    for line in ('ÿ', 'a\\xffb', '\\x1e\\x00|'):\n        os.write(1, (line + '\\n').encode())\n    os.write(1, b'a\\xffb\\xf8c\\xf8\\n\\xffd\\n')\n")
        self.addCleanup(self.d.delete, "t-records-text")
        self.d.settled("t-records-text")
        self.assertIn("ÿ\naÿb\n\x1e\x00|\na\ufffdb\ufffdc\ufffd\n\ufffdd\n", self.d.invoke("t-records-text", {}, tail=True).log)
