"""1,000 invocations, 50 at a time: success, crash, timeout, out of memory. Every one is answered as it should be, and nothing leaks."""
import json, os, queue, random, threading, unittest
from harness import *


class Mixture(unittest.TestCase):
    def test_a_thousand(self):
        shared()
        d = Daemon({"memory_budget_mb": 4000, "prepared_least": 8, "prepared_most": 8})
        self.addCleanup(d.remove)
        d.start()
        d.create("mix", Timeout=60, MemorySize=256)
        d.create("mix-hang", Timeout=2, MemorySize=256)  # of its own: on a busy machine the others take longer than that, too
        d.do("mix", "echo")
        worker, spawnd = d.pids()["worker"][0], d.pids()["spawnd"][0]
        jobs, wrong, done = queue.Queue(), [], {}
        rng = random.Random(7)
        total = int(os.environ.get("FND_MIXTURE", "1000"))
        for i in range(total):
            jobs.put((i, rng.choices(["echo", "sleep", "error", "crash", "exit", "hang", "oom"], [55, 20, 8, 6, 5, 3, 3])[0]))

        def check(i, what, r):
            text = r.body.decode()
            if r.status != 200:
                return f"status {r.status}"
            if what in ("echo", "sleep"):
                return None if not r.error and (r.json.get("i") == i or r.json == {"slept": 50}) else "not its own answer"
            if r.error != "Unhandled":
                return "no function error"
            want = {"error": "Test.Error", "crash": "Runtime.ExitError", "exit": "Runtime.ExitError", "hang": "Sandbox.Timedout", "oom": "Runtime.OutOfMemory"}[what]
            if what != "error" and r.headers["x-amzn-requestid"] not in text:
                return "another invocation's error"
            return None if r.json["errorType"] == want else f"not {want}"

        def work():
            while True:
                try:
                    i, what = jobs.get_nowait()
                except queue.Empty:
                    return
                try:
                    r = d.invoke("mix-hang" if what == "hang" else "mix", {"do": what, "i": i, "ms": 50}, timeout=120)
                    problem = check(i, what, r)
                    if problem:
                        wrong.append((what, problem, r))
                    done[i] = what
                except Exception as e:
                    wrong.append((what, repr(e), None))

        threads = [threading.Thread(target=work) for _ in range(50)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertEqual(wrong[:5], [])
        self.assertEqual(len(done), total)
        # leaks: everything ends with its environment
        d.delete("mix")
        d.delete("mix-hang")
        wait_until("all environments are gone", lambda: not d.pids()["sandbox"] and not d.groups())
        wait_until("the stock is full", lambda: d.doctor()["Prepared"]["sandbox"] == 8)
        base = {p: len(descriptors(p)) for p in (worker, spawnd)}
        d.create("again")
        for _ in range(3):
            for _ in range(5):
                d.invoke("again", {"do": "crash"})
        d.delete("again")
        wait_until("gone", lambda: not d.pids()["sandbox"] and not d.groups())
        wait_until("the stock is full", lambda: d.doctor()["Prepared"]["sandbox"] == 8)
        for p in (worker, spawnd):  # a leak stays; the stock's upkeep opens and closes
            wait_until(lambda: f"no more than {base[p]} + 2 descriptors of {comm(p)}: {descriptors(p)}", lambda: len(descriptors(p)) <= base[p] + 2)
        with open(f"/proc/{spawnd}/mounts") as f:
            self.assertLess(len(f.readlines()), 20)
        if not SANITIZED:
            self.assertLess(rss_kb(worker), 60000)
        self.assertEqual(d.stop(), 0, d.log()[-2000:])
        wait_until(lambda: f"nothing is left: {d.leftovers()}", lambda: not d.leftovers())
