"""The benchmark itself runs, and its scripts read what it writes. No figure is judged: the machine is shared."""
import json, os, subprocess, tempfile, unittest

from harness import BUILD, TOP, Case, free_port, wait_until


class Bench(Case):
    @classmethod
    def setUpClass(cls):
        pass

    def test_floors_table_and_comparison(self):
        with tempfile.TemporaryDirectory() as d:
            out = os.path.join(d, "bench.json")
            r = subprocess.run([os.path.join(TOP, "tests/bench/run"), "--build", BUILD, "--quick", "--parts", "floors", "--out", out], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, timeout=300)
            self.assertEqual(r.returncode, 0, r.stdout[-2000:])
            with open(out) as f:
                result = json.load(f)
            self.assertEqual(result["failed"], {})
            self.assertGreater(result["figures"]["floor_clone_all_ns_us"]["p50"], result["figures"]["floor_round_trip_us"]["p50"])
            self.assertIn("| floor_netns_us |", r.stdout)
            with open(os.path.join(d, "bench.md")) as f:
                self.assertIn("| floor_netns_us |", f.read())
            twice = subprocess.run([os.path.join(TOP, "scripts/bench-compare"), out, out], stdout=subprocess.PIPE, text=True, check=True).stdout
            line = next(l for l in twice.splitlines() if l.startswith("floor_overlay_us p50"))
            self.assertEqual(line.split()[-1], "1.00")

    def test_load_counts_answers_and_errors(self):
        tools = os.path.join(BUILD, "tests/bench")
        port = free_port()
        echo = subprocess.Popen([os.path.join(tools, "mhd_echo"), str(port)])
        self.addCleanup(lambda: (echo.terminate(), echo.wait(10)))

        def load(*options):
            r = subprocess.run([os.path.join(tools, "load"), *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            return json.loads(r.stdout)["targets"]["x"] if r.returncode == 0 else None
        wait_until("mhd_echo answers", lambda: load("--requests", "1", "--body", "{}", "--target", f"x={port}/"))
        t = load("--requests", "300", "--connections", "3", "--slices", "2", "--body", '{"a":1}', "--target", f"x={port}/", "--watch", f"echo={echo.pid}")
        self.assertEqual((t["n"], t["errors"], [s["n"] for s in t["slices"]]), (600, 0, [300, 300]))
        self.assertGreater(t["processes"]["echo"]["cpu_us"], 0)
        self.assertLessEqual(t["p50_us"], t["p99_us"])


if __name__ == "__main__":
    unittest.main()
