"""Processes are killed while functions, their versions and snapshots, layers and log groups come, change and go; FND_CRASHES: how often each (make check-crash)."""
import collections, sys, threading, unittest
from churn import Churn, Model
from harness import *
from test_disk import Disk

CLIENTS = 3


class Crashes(Disk):
    N = int(os.environ.get("FND_CRASHES", "2"))
    KINDS = os.environ.get("FND_CRASH_KINDS", "spawnd unpack worker supervisor keeper events").split()

    @classmethod
    def setUpClass(cls):
        """Its images are there: what is unpacked from then on are packages and layers."""
        shared()
        super().setUpClass()
        cls.d.images_installed()

    def client(self, k, rnd, stop):
        while not stop.is_set() and not any(n[1:].split("-")[0] == str(k) for n in self.model.pending):
            try:
                self.begun[self.churn.step(k, rnd)[0]] += 1
            except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):  # no answer, or a refusal where a state was asked for
                time.sleep(0.05)
            except AssertionError as e:
                self.wrong.append(str(e))
                return

    def note(self, e):
        with self.lock:
            self.model.take(e)

    def round(self, who, rnd):
        stop = threading.Event()
        threads = [threading.Thread(target=self.client, args=(k, random.Random(rnd.random()), stop)) for k in range(CLIENTS)]
        [t.start() for t in threads]
        time.sleep(0.3 + rnd.random())
        try:
            pid = rnd.choice(self.unpackers()) if who == "unpack" else self.d.pids()[who][0]
            os.kill(pid, signal.SIGKILL)
            self.killed += 1
        except (IndexError, ProcessLookupError):
            pass
        time.sleep(0.2)
        stop.set()
        [t.join() for t in threads]

    def unpackers(self):
        until = time.monotonic() + 5
        while time.monotonic() < until:
            found = [p for p in descendants(self.d.pids()["spawnd"][0]) if comm(p) == "fn-unpack"]
            if found:
                return found
        return []

    def up(self):
        """It runs, by itself or begun anew."""
        if self.d.process.poll() is not None:
            self.d.killed = True
            wait_until("what was below it has ended", lambda: not [x for x in self.d.leftovers() if x.startswith("process")])
            self.d.killed = False
            self.d.start()
        wait_until("it answers", lambda: self.d.is_ready())

    def test_each_process_in_turn(self):
        seed = int(os.environ.get("FND_SEED", random.randrange(1 << 32)))
        rnd = random.Random(seed)
        self.model, self.lock, self.killed, self.begun, self.wrong = Model(), threading.Lock(), 0, collections.Counter(), []
        self.churn = Churn(self.d, self.model, self.note)
        for i in range(self.N):
            for who in self.KINDS:
                with self.subTest(who=who, round=i, seed=seed):
                    self.round(who, rnd)
                    self.up()
                    self.assertEqual(self.churn.verify() + self.wrong, [])
                    self.agree()
            if (i + 1) % 10 == 0 or i + 1 == self.N:
                print(f"seed {seed}: {i + 1} rounds, {self.killed} kills, {dict(self.begun)}", file=sys.stderr, flush=True)
        self.assertGreater(self.killed, 0)
        for name in self.model.names():
            if name[0] in "fs":
                self.d.delete(name)
            for v in (self.model.now[name] or {}) if name[0] == "l" else ():
                self.d.request("DELETE", f"/2018-10-31/layers/{name}/versions/{v}")
        wait_until(lambda: f"nothing is left: {self.rows()}", lambda: not any(self.rows(kind) for kind in ("code", "package", "layer", "snapshot")))
        self.agree()


if __name__ == "__main__":
    unittest.main()
