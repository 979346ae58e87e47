"""fn-gateway, fnd's worker and fn-spawnd are killed under 64 streams and the load of a function URL: clients see an ended connection or an error, never another's bytes."""
import http.client, json, os, random, signal, threading, time, unittest
from harness import *
from test_streaming import Stream
from test_urls import UrlCase

KILLS = int(os.environ.get("FND_KILLS", "3"))  # make check-kills N=50
STREAMS, BYTES, CHUNK = 64, 1_300_000, 16_250
GONE = (OSError, EOFError, ValueError, IndexError, http.client.HTTPException)  # a connection that has ended, wherever it was


class Kills(UrlCase):
    @classmethod
    def setUpClass(cls):
        Case.setUpClass()

    def setUp(self):
        super().setUp()
        self.d = self.daemon(gateway={"listen": f"127.0.0.1:{free_port()}"}, account_concurrency=400)
        self.port = self.d.config["gateway"]["listen"].rsplit(":", 1)[1]
        self.d.create("s", native_zip(), runtime="provided.al2023", handler="h", MemorySize=256, Timeout=30)
        self.host = self.url("s", InvokeMode="RESPONSE_STREAM")
        self.ends, self.wrong, self.lock, self.stop = {"whole": 0, "ended": 0, "refused": 0}, [], threading.Lock(), threading.Event()

    def count(self, how):
        with self.lock:
            self.ends[how] += 1

    def looked_at(self, tag, data):
        want = (tag * (CHUNK // len(tag))).encode()
        for at in range(0, len(data), CHUNK):
            if data[at:at + CHUNK] != want[:len(data) - at]:
                self.wrong.append((tag, at, bytes(data[at:at + 40])))
                return

    def by_url(self, tag, size, pause):
        c = http.client.HTTPConnection("127.0.0.1", int(self.port), timeout=60 * SLOW)
        try:
            c.putrequest("GET", f"/?do=stream&tag={tag}&bytes={size}&chunk={CHUNK}&ms={pause}", skip_host=True)
            c.putheader("Host", self.host)
            c.endheaders()
            r = c.getresponse()
            data = bytearray()
            try:
                while more := r.read(CHUNK):
                    data += more
                whole = True
            except http.client.IncompleteRead as e:
                data, whole = data + e.partial, False
            if r.status != 200:
                self.count("refused")
                return
            self.looked_at(tag, data)
            if whole and len(data) != size:
                self.wrong.append((tag, "said to be whole", len(data), bytes(data[:90])))
            self.count("whole" if whole else "ended")
        finally:
            c.close()

    def by_api(self, tag, size, pause):
        s = Stream(self.d, "s", {"do": "stream", "tag": tag, "bytes": size, "chunk": CHUNK, "ms": pause}, timeout=60)
        data = bytearray()
        try:
            if s.status != 200:
                self.count("refused")
                return
            while (event := s.event())[0] == "PayloadChunk":
                data += event[1]
            if len(data) != size and "ErrorCode" not in json.loads(event[1]):
                self.wrong.append((tag, "said to be whole", len(data), bytes(data[:90])))
            self.count("whole" if len(data) == size else "ended")
        except GONE:
            self.count("ended")
        finally:
            self.looked_at(tag, data)
            s.close()

    def client(self, k, how, size, pause):
        n = 0
        while not self.stop.is_set():
            n += 1
            try:
                how(f"{k:04d}-{n:07d}."[:13], size, pause)
            except GONE:
                self.count("ended")
                time.sleep(0.02)

    def test_nobody_gets_another_s_bytes(self):
        kinds = ["gateway", "worker", "spawnd"]
        threads = [threading.Thread(target=self.client, args=(k, (self.by_url, self.by_api)[k % 2], BYTES, 20)) for k in range(STREAMS)]
        threads += [threading.Thread(target=self.client, args=(1000 + k, self.by_url, CHUNK, 0)) for k in range(4)]
        [t.start() for t in threads]
        try:
            for n in range(KILLS):
                before = self.ends["whole"]
                wait_until("some are answered whole", lambda: self.ends["whole"] > before + 8)
                time.sleep(random.random() / 2)
                for pid in self.d.pids()[kinds[n % 3]][:1]:
                    os.kill(pid, signal.SIGKILL)
            before = self.ends["whole"]
            wait_until("they are again", lambda: self.ends["whole"] > before + STREAMS)
        finally:
            self.stop.set()
            [t.join() for t in threads]
        self.assertEqual(self.wrong[:5], [])
        self.assertGreater(self.ends["ended"], 0, self.ends)
        print(f"{KILLS} kills: {self.ends}")
        # what has been cut short runs on to its end, as on Lambda; then nothing is under way
        wait_until("nothing is under way", lambda: self.get(self.host, f"/?do=stream&tag=x&bytes=1&chunk={CHUNK}").body == b"x")
        self.ends_clean(self.d)


if __name__ == "__main__":
    unittest.main()
