"""Clients that make, change and delete functions (with layers, with snapshots), layers and log groups, and a model of what must be there whatever is killed meanwhile: what was
answered with success is so, what was refused is not, what has no answer is one or the other. For the tests that kill processes (test_crashes.py) and cut the power (tests/powercut)."""
import base64, hashlib, json, random, time
from harness import BUILD, PYTHON, ROLE, SLOW, make_zip, wait_until

FUNCTIONS, LAYERS = "/2015-03-31/functions", "/2018-10-31/layers"
LOGS = {"Content-Type": "application/x-amz-json-1.1"}
RUNTIME_OF = {"f": "provided.al2023", "s": PYTHON}  # by a name's first letter: f-unction, s-napshots, l-ayer, g-roup of logs


def package(kind, seed):
    """Another one for each seed; a function with snapshots tells its seed."""
    if kind == "s":
        return make_zip({"f.py": f"import json, random\nheld = random.Random({seed}).randbytes(1 << 20)\ndef handler(event, context):\n    return {seed}\n"})
    noise = random.Random(seed).randbytes(100000)
    if kind == "l":
        return make_zip({"lib/n": noise})
    with open(BUILD + "/fixtures/bootstrap", "rb") as f:
        return make_zip({"bootstrap": f.read(), "n": noise})


def sha(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def after(state, e):
    """What an operation makes of it."""
    what = e["begin"]
    if what == "create":
        return {"sha": e["sha"], "seed": e["seed"], "text": e["text"], "layers": [], "versions": {}, "aliases": {}}
    if what == "delete":
        return None
    s = json.loads(json.dumps(state))
    if what == "layer":
        s = s or {}
        s[e["version"]] = e["sha"]
    elif what == "unlayer":
        s.pop(e["version"])
    elif what in ("group", "stream"):
        s = "group" if what == "group" else []
    elif what == "put":
        s.append(e["text"])
    elif what == "code":
        s["sha"], s["seed"] = e["sha"], e["seed"]
    elif what == "configure":
        s["text"], s["layers"] = e["text"], e["layers"]
    elif what == "publish":
        s["versions"][e["version"]] = {k: s[k] for k in ("sha", "seed", "text", "layers")}
    elif what == "alias":
        s["aliases"]["live"] = e["version"]
    return s


def visible(state):
    """Without what only the model knows of it."""
    if isinstance(state, dict) and "versions" in state:
        bare = lambda s: {k: v for k, v in s.items() if k != "seed"}
        return {**bare(state), "versions": {v: bare(s) for v, s in state["versions"].items()}}
    return state or None if isinstance(state, dict) else state


class Model:
    """One state for each name, or two while an operation had no answer."""

    def __init__(self):
        self.now, self.pending, self.newest = {}, {}, {}  # newest: of a layer's versions, whose numbers do not come again

    def take(self, e):
        name = e["name"]
        if "begin" in e:
            self.pending[name] = e
        elif "answer" not in e:  # it was found to be so
            self.now[name] = next((s for s in self.possible(name) if visible(s) == e["found"]), e["found"])
            self.pending.pop(name, None)
        elif e["answer"] < 500:
            begun = self.pending.pop(name)
            if e["answer"] < 300:
                self.now[name] = after(self.now.get(name), begun)
        if name[0] == "l":
            self.newest[name] = max([self.newest.get(name, 0), *map(int, self.now.get(name) or {})])

    def possible(self, name):
        states = [self.now.get(name)]
        if name in self.pending:
            states.append(after(states[0], self.pending[name]))
        return states

    def names(self):
        return sorted(set(self.now) | set(self.pending))


class Churn:
    """note: takes each event, before (begin) and after (answer) an operation, and has the model take it."""

    def __init__(self, d, model, note):
        self.d, self.model, self.note = d, model, note

    # --- what is there ---
    def ask(self, method, path, body=None):
        r = self.d.request(method, path, body)
        if r.status not in (200, 404):
            raise AssertionError(f"{method} {path}: {r}")
        return r.json if r.status == 200 else None

    def logs(self, operation, **members):
        return self.d.request("POST", "/", json.dumps(members), {**LOGS, "X-Amz-Target": "Logs_20140328." + operation})

    def look_group(self, name):
        r = self.logs("GetLogEvents", logGroupName=name, logStreamName="s", startFromHead=True)
        if r.status == 400 and "log stream" in r.body.decode():
            return "group"
        if r.status not in (200, 400):
            raise AssertionError(f"GetLogEvents {name}: {r}")
        return [e["message"] for e in r.json["events"]] if r.status == 200 else None

    def look(self, name):
        if name[0] == "g":
            return self.look_group(name)
        if name[0] == "l":
            return {str(v["Version"]): self.ask("GET", f"{LAYERS}/{name}/versions/{v['Version']}")["Content"]["CodeSha256"] for v in self.ask("GET", f"{LAYERS}/{name}/versions")["LayerVersions"]} or None
        now = self.ask("GET", f"{FUNCTIONS}/{name}/configuration")
        if not now:
            return None
        of = lambda c: {"sha": c["CodeSha256"], "text": c["Description"], "layers": [l["Arn"] for l in c.get("Layers", [])]}
        versions = {v["Version"]: of(v) for v in self.ask("GET", f"{FUNCTIONS}/{name}/versions")["Versions"] if v["Version"] != "$LATEST"}
        return {**of(now), "versions": versions, "aliases": {a["Name"]: a["FunctionVersion"] for a in self.ask("GET", f"{FUNCTIONS}/{name}/aliases")["Aliases"]}}

    def found(self, name):
        """Looks; what is wrong with it, and from now on it is so."""
        now, may_be = self.look(name), [visible(s) for s in self.model.possible(name)]
        self.note({"name": name, "found": now})
        return [] if now in may_be else [f"{name} is {now}, and was answered to be {' or '.join(map(str, may_be))}"]

    def works(self, name):
        """A function that is there runs, with the code that it was answered to have; each version with snapshots, too."""
        state = self.model.now.get(name)
        if name[0] not in RUNTIME_OF or state is None:
            return []
        self.d.settled(name)
        faults = []
        for v, s in {"$LATEST": state, **(state["versions"] if name[0] == "s" else {})}.items():
            config = lambda: self.ask("GET", f"{FUNCTIONS}/{name}/configuration?Qualifier={v}")
            wait_until(lambda: f"{name}:{v} is Active: {config()}", lambda: config()["State"] != "Pending")
            r = self.d.invoke(name, {"do": "echo"}, query=f"?Qualifier={v}")
            if r.status != 200 or r.error or name[0] == "s" and r.json != s.get("seed"):
                faults.append(f"{name}:{v}: {r}, not {s.get('seed')}: {config()}")
        return faults

    def verify(self):
        return [fault for name in self.model.names() for fault in self.found(name) + self.works(name)]

    # --- and now something else ---
    def step(self, k, rnd):
        """One operation of client k, who alone has to do with names of its own; returns its answer."""
        name = rnd.choice([f"f{k}-0", f"f{k}-1", f"f{k}-2", f"s{k}", f"l{k}", f"g{k}"])
        if name in self.model.pending:
            raise AssertionError(f"{name}: what became of the last operation was not looked at")
        e, order = getattr(self, {"l": "layer", "g": "group"}.get(name[0], "function"))(name, k, rnd)
        if name[0] in RUNTIME_OF and self.model.now.get(name) is not None:
            self.d.settled(name)
        self.note({"name": name, **e})
        r = self.d.request(*order, timeout=60 * SLOW)
        got = r.json.get("Version") if e["begin"] in ("publish", "layer") and r.status == 201 else None
        if got is not None and str(got) != e["version"]:
            raise AssertionError(f"{e['begin']} {name}: {got}, not {e['version']}")
        self.note({"name": name, "answer": r.status})
        return e["begin"], r

    def function(self, name, k, rnd):
        state, path = self.model.now.get(name), f"{FUNCTIONS}/{name}"
        text, seed = f"{rnd.randrange(1 << 30)}", rnd.randrange(1 << 30)
        code = package(name[0], seed)
        new, zipped = {"sha": sha(code), "seed": seed}, base64.b64encode(code).decode()
        if state is None:
            snap = {"SnapStart": {"ApplyOn": "PublishedVersions"}} if name[0] == "s" else {}
            return {"begin": "create", **new, "text": text}, ("POST", FUNCTIONS, {"FunctionName": name, "Role": ROLE, "Runtime": RUNTIME_OF[name[0]], "Handler": "f.handler", "Timeout": 300, "Description": text, "Code": {"ZipFile": zipped}, **snap})
        what = rnd.choice(["code", "code", "configure", "configure", "publish", "publish", "alias", "delete"])
        if what == "alias" and not state["versions"]:
            what = "publish"
        if what == "publish" and {x: state[x] for x in ("sha", "seed", "text", "layers")} in state["versions"].values():
            what = "configure"  # it would be the same version again
        if what == "code":
            return {"begin": what, **new}, ("PUT", path + "/code", {"ZipFile": zipped})
        if what == "configure":
            layers = [f"arn:aws:lambda:us-east-1:000000000000:layer:l{k}:{v}" for v in sorted(self.model.now.get(f"l{k}") or {})[-1:]]
            return {"begin": what, "text": text, "layers": layers}, ("PUT", path + "/configuration", {"Description": text, "Layers": layers})
        if what == "publish":
            return {"begin": what, "version": str(1 + max(map(int, state["versions"]), default=0))}, ("POST", path + "/versions", {})
        if what == "alias":
            version = rnd.choice(sorted(state["versions"]))
            return {"begin": what, "version": version}, ("PUT", path + "/aliases/live", {"FunctionVersion": version}) if "live" in state["aliases"] else ("POST", path + "/aliases", {"Name": "live", "FunctionVersion": version})
        return {"begin": "delete"}, ("DELETE", path, None)

    def layer(self, name, k, rnd):
        there = sorted(self.model.now.get(name) or {})
        if not there or len(there) < 4 and rnd.random() < 0.6:
            content = package("l", rnd.randrange(1 << 30))
            return {"begin": "layer", "version": str(1 + self.model.newest.get(name, 0)), "sha": sha(content)}, ("POST", f"{LAYERS}/{name}/versions", {"Content": {"ZipFile": base64.b64encode(content).decode()}})
        gone = rnd.choice(there)
        return {"begin": "unlayer", "version": gone}, ("DELETE", f"{LAYERS}/{name}/versions/{gone}", None)

    def group(self, name, k, rnd):
        state, text = self.model.now.get(name), f"{rnd.randrange(1 << 30)}"
        order = lambda operation, **members: ("POST", "/", json.dumps({"logGroupName": name, **members}), {**LOGS, "X-Amz-Target": "Logs_20140328." + operation})
        if state is None:
            return {"begin": "group"}, order("CreateLogGroup")
        if state == "group":
            return {"begin": "stream"}, order("CreateLogStream", logStreamName="s")
        if len(state) < 3 or rnd.random() < 0.8:
            return {"begin": "put", "text": text}, order("PutLogEvents", logStreamName="s", logEvents=[{"timestamp": int(time.time() * 1000), "message": text}])
        return {"begin": "delete"}, order("DeleteLogGroup")
