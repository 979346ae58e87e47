"""What tests/powercut/run runs in the virtual machine: looks whether all is there that was answered before the power was cut, then goes on changing.

    guest.py DIRECTORY ROUND [PRELOAD]

DIRECTORY is the host's, shared: what is written there has left the machine at once. journal: a line of JSON for each operation that is begun, and for each
answer. found-ROUND: what was looked at and what is wrong. The state directory is on /dev/vda, of which the kernel writes back only what it is told to.
"""
import base64, glob, hashlib, io, json, os, random, sqlite3, subprocess, sys, threading, zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "it"))
from churn import FUNCTIONS, Churn, Model, package
from harness import Daemon, wait_until

MOUNT = "/run/disk"
CLIENTS = 3


class Told(Model):
    """The model of tests/it/churn.py, from the journal, and beside it messages: what is in the queue for sure ("sent") or may be ("send", "delete"); events: the ids of those that were
    accepted and whose records have not been seen."""

    def __init__(self):
        super().__init__()
        self.messages, self.gone, self.events = {}, set(), set()

    def read(self, path):
        if os.path.exists(path):
            with open(path) as f:
                for line in f:
                    if line.endswith("\n"):
                        self.take(json.loads(line))
        return self

    def take(self, e):
        if "message" in e:
            if e["step"] == "deleted":
                self.messages.pop(e["message"], None)
                self.gone.add(e["message"])
            else:
                self.messages[e["message"]] = e["step"]
        elif "event" in e:
            (self.events.add if e["step"] == "accepted" else self.events.discard)(e["event"])
        else:
            super().take(e)


class Machine:
    def __init__(self, directory, number, preload):
        self.directory, self.number = directory, number
        self.model = Told().read(os.path.join(directory, "journal"))
        self.lock = threading.Lock()
        self.journal = os.open(os.path.join(directory, "journal"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.makedirs(MOUNT, exist_ok=True)
        if number == 0:
            subprocess.run(["mkfs.ext4", "-q", "-F", "/dev/vda"], check=True)
        with open("/proc/sys/vm/dirty_writeback_centisecs", "w") as f:
            f.write("0")  # what nobody syncs is never written
        subprocess.run(["mount", "-o", "commit=3600", "/dev/vda", MOUNT], check=True)
        self.d = Daemon(state=os.path.join(MOUNT, "state"), env={"LD_PRELOAD": preload} if preload else None)
        os.makedirs(self.d.state, exist_ok=True)
        self.churn = Churn(self.d, self.model, self.note)

    def note(self, e):
        line = (json.dumps(e) + "\n").encode()
        with self.lock:
            assert os.write(self.journal, line) == len(line)
            self.model.take(e)

    # --- is what was answered there? ---
    def whole(self, sha):
        """A package and its tree, byte by byte."""
        hexed = base64.b64decode(sha).hex()
        with open(os.path.join(self.d.state, "blobs", hexed + ".zip"), "rb") as f:
            package = f.read()
        if hashlib.sha256(package).hexdigest() != hexed:
            return [f"package {hexed}: its bytes are others"]
        tree, found = os.path.join(self.d.state, "roots/code-" + hexed, "var/task"), []
        with zipfile.ZipFile(io.BytesIO(package)) as z:
            for name in z.namelist():
                with open(os.path.join(tree, name), "rb") as f:
                    if f.read() != z.read(name):
                        found.append(f"tree {hexed}: {name} has other bytes")
        return found

    def verify(self):
        names, faults = self.model.names(), self.churn.verify()
        for name in names:
            state = self.model.now.get(name)
            for sha in {state["sha"], *(v["sha"] for v in state["versions"].values())} if name[0] in "fs" and state else ():
                try:
                    faults += self.whole(sha)
                except OSError as e:
                    faults.append(f"{name}: {e}")
        check = []

        def agree():
            check[:] = self.d.request("GET", "/_fnd/disk?check=1").json["Faults"]
            return not check
        try:
            wait_until("rows and disk agree", agree)
        except AssertionError:
            faults += map(str, check)
        for path in glob.glob(os.path.join(self.d.state, "*/*.db")):
            said = sqlite3.connect(f"file:{path}?mode=ro", uri=True).execute("PRAGMA integrity_check").fetchall()
            if said != [("ok",)]:
                faults.append(f"{os.path.basename(path)}: {said}")
        return len(names), faults

    # --- queues and events ---
    def sqs(self, operation, **members):
        r = self.d.request("POST", "/", members, headers={"X-Amz-Target": "AmazonSQS." + operation, "Content-Type": "application/x-amz-json-1.0"})
        if r.status != 200:
            raise AssertionError(f"{operation}: {r}")
        return json.loads(r.body) if r.body else {}

    def receive(self, url, seconds=1):
        return self.sqs("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=20, WaitTimeSeconds=seconds).get("Messages", [])

    def delete(self, url, message):
        self.sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def queues(self):
        """Those of the messages, and of what became of the events of `ev`."""
        self.queue, self.records = (self.sqs("CreateQueue", QueueName=n)["QueueUrl"] for n in ("messages", "records"))
        if self.number == 0:
            self.d.create("ev", package("f", 0), runtime="provided.al2023", handler="x", Timeout=300)
            r = self.d.request("PUT", "/2019-09-25/functions/ev/event-invoke-config", {"DestinationConfig": {"OnSuccess": {"Destination": "arn:aws:sqs:us-east-1:000000000000:records"}}})
            assert r.status == 200, r

    def take_records(self, seconds=0):
        for m in self.receive(self.records, seconds):
            record = json.loads(m["Body"])
            self.note({"event": record["requestContext"]["requestId"], "step": record["requestContext"]["condition"]})
            self.delete(self.records, m)

    def verify_queues(self):
        """All that was sent comes, nothing that was deleted does; each event that was accepted has been run to its end."""
        faults, sent, accepted = [], {m for m, step in self.model.messages.items() if step == "sent"}, len(self.model.events)

        def messages_are_there():
            for m in self.receive(self.queue):
                body = m["Body"]
                if body in self.model.gone:
                    faults.append(f"message {body} was deleted, and is there")
                elif body not in self.model.messages:
                    faults.append(f"message {body} was never sent")
                self.note({"message": body, "step": "delete"})
                self.delete(self.queue, m)
                self.note({"message": body, "step": "deleted"})
                sent.discard(body)
            return not sent

        def events_have_run():
            self.take_records(1)
            return not self.model.events
        for what, condition, of in (("messages", messages_are_there, sent), ("events", events_have_run, self.model.events)):
            try:
                wait_until(what, condition, 20)
            except AssertionError:
                faults.append(f"{what} that were answered and are lost: {sorted(of)[:5]}")
        return len(sent) + accepted, faults

    def messenger(self):
        """Sends, receives, deletes, and has `ev` invoked without a caller who waits."""
        n = 0
        while True:
            n += 1
            body = f"{self.number}-{n}"
            self.note({"message": body, "step": "send"})
            self.sqs("SendMessage", QueueUrl=self.queue, MessageBody=body)
            self.note({"message": body, "step": "sent"})
            for m in self.receive(self.queue, 0)[:1] if n % 2 else []:
                self.note({"message": m["Body"], "step": "delete"})
                self.delete(self.queue, m)
                self.note({"message": m["Body"], "step": "deleted"})
            r = self.d.request("POST", f"{FUNCTIONS}/ev/invocations", {"do": "echo"}, headers={"X-Amz-Invocation-Type": "Event"})
            if r.status != 202:
                raise AssertionError(f"Event: {r}")
            self.note({"event": r.headers["x-amzn-requestid"], "step": "accepted"})
            if n % 8 == 0:
                self.take_records()

    # --- and now something else ---
    def client(self, k):
        rnd = random.Random(f"{self.number}-{k}")
        while True:
            begun, r = self.churn.step(k, rnd)
            if not 200 <= r.status < 300:
                raise AssertionError(f"{begun}: {r}")

    def run(self):
        try:
            self.d.start()
            self.queues()
            seen, faults = self.verify()
            more, lost = self.verify_queues()
            seen, faults = seen + more, faults + lost
        except Exception as e:  # it does not begin, or its databases are not what they were
            seen, faults = 0, [f"{type(e).__name__}: {e}"]
        path = os.path.join(self.directory, f"found-{self.number}")
        with open(path + ".new", "w") as f:
            json.dump({"functions": seen, "faults": faults}, f)
        os.rename(path + ".new", path)
        if faults:
            return 1
        broken = []

        def client(k):
            try:
                self.client(k) if k else self.messenger()
            except Exception as e:
                broken.append(f"{type(e).__name__}: {e}")
        threads = [threading.Thread(target=client, args=(k,), daemon=True) for k in range(CLIENTS + 1)]
        [t.start() for t in threads]
        wait_until("the power is cut", lambda: broken, 3600)
        print(broken[0], flush=True)
        return 2


sys.exit(Machine(sys.argv[1], int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None).run())
