"""The same JS function in serverless-offline and workerd (npm, pinned), beside fnd: cold and warm."""
import contextlib, glob, json, os, shutil, signal, subprocess, tempfile, time

import harness
from common import BUILD, EVENT, INVOKE, create, node, quantile, run_json, runtimes, tool, wait_active
from invocations import can_connect, cold_round, daemon, percentiles

PACKAGES = {"serverless": "3.40.0", "serverless-offline": "13.9.0", "workerd": "1.20261117.1"}
HANDLER = "exports.handler = async (event) => event;\n"
WORKER = """async function handler(event) { return event; }
export default { async fetch(request) { return Response.json(await handler(await request.json())); } };
"""
QUIET = {"SLS_TELEMETRY_DISABLED": "1", "SLS_NOTIFICATIONS_MODE": "off", "SLS_DEPRECATION_DISABLE": "*", "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x",
         "AWS_SECRET_ACCESS_KEY": "x", "CI": "1"}


def install():
    """Into build/npm-bench; once."""
    home = os.path.join(BUILD, "npm-bench")
    package = json.dumps({"name": "fnd-bench-rivals", "private": True, "dependencies": PACKAGES})
    stamp = os.path.join(home, "installed.json")
    if os.path.exists(stamp) and open(stamp).read() == package:
        return home
    if not shutil.which("npm"):
        raise RuntimeError("npm is not installed")
    os.makedirs(home, exist_ok=True)
    with open(os.path.join(home, "package.json"), "w") as f:
        f.write(package)
    r = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"], cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    if r.returncode != 0:
        raise RuntimeError(f"npm install: {r.stdout[-300:]}")
    with open(stamp, "w") as f:
        f.write(package)
    return home


@contextlib.contextmanager
def process(argv, port, **kw):
    """Runs until the block ends; yields (pid, us from start to the port's accepting)."""
    log = tempfile.TemporaryFile()
    from_ = time.monotonic()
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **kw)

    def ready():
        if p.poll() is not None:
            log.seek(0)
            raise RuntimeError(f"{os.path.basename(argv[0])} ended: {log.read().decode(errors='replace')[-400:]}")
        return can_connect(port)
    try:
        while not ready():  # closely: this is part of a cold start's time
            if time.monotonic() > from_ + 60:
                raise RuntimeError(f"{os.path.basename(argv[0])} does not listen after 60 s")
            time.sleep(0.001)
        yield p.pid, (time.monotonic() - from_) * 1e6
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(p.pid, signal.SIGTERM)  # its own session: what it started too
        try:
            p.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            p.wait()


def workerd_files(home, directory, port):
    binary = glob.glob(os.path.join(home, "node_modules/@cloudflare/workerd-linux-*/bin/workerd"))
    if not binary:
        raise RuntimeError("workerd's package has no binary for this machine")
    with open(os.path.join(directory, "worker.js"), "w") as f:
        f.write(WORKER)
    config = os.path.join(directory, "config.capnp")
    with open(config, "w") as f:
        f.write('using Workerd = import "/workerd/workerd.capnp";\n'
                'const config :Workerd.Config = (services = [(name = "main", worker = .worker)],\n'
                f'  sockets = [(name = "http", address = "127.0.0.1:{port}", http = (), service = "main")]);\n'
                'const worker :Workerd.Worker = (modules = [(name = "worker", esModule = embed "worker.js")], compatibilityDate = "2024-09-01");\n')
    return [binary[0], "serve", config]


def serverless_files(home, directory, port, functions):
    names = [f"f{i}" for i in range(functions)]
    service = {"service": "bench", "frameworkVersion": "3", "provider": {"name": "aws", "runtime": "nodejs20.x", "region": "us-east-1"}, "plugins": ["serverless-offline"],
               "functions": {n: {"handler": "f.handler"} for n in names}}
    with open(os.path.join(directory, "serverless.json"), "w") as f:
        json.dump(service, f)
    with open(os.path.join(directory, "f.js"), "w") as f:
        f.write(HANDLER)
    os.symlink(os.path.join(home, "node_modules"), os.path.join(directory, "node_modules"))
    return [node(), os.path.join(home, "node_modules/serverless/bin/serverless.js"), "offline", "--lambdaPort", str(port), "--httpPort", str(harness.free_port()),
            "--albPort", str(harness.free_port()), "--websocketPort", str(harness.free_port())]


def request_us(port, path):
    t = run_json([tool("load"), "--requests", 1, "--raw", "--body", EVENT, "--target", f"x={port}{path}"])["targets"]["x"]
    if t["errors"]:
        raise RuntimeError(t["error"])
    return t["slices"][0]["us"][0]


def rivals(b):
    b.say("serverless-offline and workerd")
    home = install()
    rounds, n = (2, 3) if b.quick else (3, 5)
    work = tempfile.mkdtemp(prefix="fnd-bench-npm-", dir="/var/tmp")
    try:
        with daemon() as d:
            kinds = runtimes(d)
            label = "node" if "node" in kinds else "python"
            if label != "node":
                b.note("rivals: no nodejs base image is installed, so fnd's side is the Python function")
            one(b, d, home, work, label, kinds[label], rounds, n)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def one(b, d, home, work, label, kind, rounds, n):
    ports = {"workerd": harness.free_port(), "serverless-offline": harness.free_port()}
    for name in ports:
        os.makedirs(os.path.join(work, name))
    workerd = workerd_files(home, os.path.join(work, "workerd"), ports["workerd"])
    serverless = serverless_files(home, os.path.join(work, "serverless-offline"), ports["serverless-offline"], rounds * n)
    names = [f"r-{i}" for i in range(rounds * n)] + ["r"]
    for name in names:
        create(d, name, kind)
    wait_active(d, names)
    sls_path = INVOKE.format("bench-dev-f%d")
    cold = {"fnd": [], "workerd": [], "serverless-offline": []}
    stages = []
    with process(serverless, ports["serverless-offline"], cwd=os.path.join(work, "serverless-offline"), env={**os.environ, **QUIET}) as (sls_pid, sls_start):
        for k in range(rounds):
            us, st = cold_round(b, d, "r-", k * n, n, 0)
            cold["fnd"].append(us)
            stages.append(st)
            cold["serverless-offline"].append([request_us(ports["serverless-offline"], sls_path.replace("%d", str(k * n + i))) for i in range(n)])
            times = []
            for _ in range(n):
                with process(workerd, ports["workerd"]) as (_, start):
                    times.append(start + request_us(ports["workerd"], "/"))
            cold["workerd"].append(times)
        b.figure(f"rivals_cold_{label}_us", cold["fnd"], stages={s: quantile([x[s] for x in stages if s in x], 0.5) for s in stages[0]})
        b.peer(f"rivals_cold_{label}_us", "serverless-offline", cold["serverless-offline"],
               note=f"first request to a function of a running server, a worker thread without isolation; the server itself needs {sls_start / 1e6:.1f} s to start")
        b.peer(f"rivals_cold_{label}_us", "workerd", cold["workerd"], note="start of the process to its first answer (polled every ms); V8 isolate, no sandbox of the kernel's")
        with process(workerd, ports["workerd"]) as (workerd_pid, _):
            for connections in (1, 16):
                warm(b, d, label, connections, ports, {"workerd": workerd_pid, "serverless-offline": sls_pid})



def warm(b, d, label, connections, ports, pids):
    targets = {"fnd": f"{d.port}{INVOKE.format('r')}", "workerd": f"{ports['workerd']}/", "serverless-offline": f"{ports['serverless-offline']}{INVOKE.format('bench-dev-f0')}"}
    args = [a for t, where in targets.items() for a in ("--target", f"{t}={where}")]
    run_json([tool("load"), "--body", EVENT, "--connections", connections, "--seconds", 0.5, *args])
    out = run_json([tool("load"), "--body", EVENT, "--connections", connections, "--slices", 2 if b.quick else 3, "--seconds", b.seconds, *args])["targets"]
    name = f"rivals_warm_{label}_{connections}_connection{'s' * (connections > 1)}_us"
    ours = out["fnd"]
    f = {"unit": "us", **percentiles(ours), "rps": ours["rps"], "errors": ours["errors"], "peers": {}}
    for peer in pids:
        t = out[peer]
        ratios = [x["p50_us"] / y["p50_us"] for x, y in zip(ours["slices"], t["slices"]) if y["n"]]
        f["peers"][peer] = {**percentiles(t), "rps": t["rps"], "errors": t["errors"], "note": f"{t['rps']:,.0f} requests/s; fnd {ours['rps']:,.0f}",
                            **({"ratio": quantile(ratios, 0.5), "ratio_min": min(ratios), "ratio_max": max(ratios), "pairs": len(ratios)} if ratios else {})}
        if t["errors"]:
            b.note(f"{name}: {peer}: {t['errors']} requests failed, the first with: {t['error']}")
    b.figures[name] = f
