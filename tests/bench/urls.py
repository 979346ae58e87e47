"""Function URLs beside direct Invoke of the same function, and beside nginx that proxies to the same function; plain and through TLS."""
import contextlib, json, os, re, shutil, signal, subprocess, tempfile

import harness
from common import INVOKE, create, quantile, runtimes, wait_active
from invocations import can_connect, daemon, load, percentiles

NGINX = """worker_processes 2; daemon off; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 1024; }}
http {{ access_log off; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  upstream fnd {{ server 127.0.0.1:{fnd}; keepalive 64; }}
  server {{ listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl; ssl_certificate {pem}; ssl_certificate_key {key}; keepalive_requests 10000000;
    location / {{ proxy_pass http://fnd{path}; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host 127.0.0.1:{fnd}; }} }} }}
"""


@contextlib.contextmanager
def nginx(b, d, path, pem, key, where):
    """(plain port, TLS port), or None where there is none."""
    program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    if not program:
        b.note("nginx: not measured: it is not installed")
        yield None
        return
    plain, tls = harness.free_port(), harness.free_port()
    with open(os.path.join(where, "nginx.conf"), "w") as f:
        f.write(NGINX.format(dir=where, fnd=d.port, plain=plain, tls=tls, pem=pem, key=key, path=path))
    p = subprocess.Popen([program, "-p", where, "-c", os.path.join(where, "nginx.conf"), "-g", "user root;"], stderr=subprocess.DEVNULL)
    try:
        harness.wait_until("nginx listens", lambda: can_connect(plain))
        yield plain, tls
    finally:
        p.send_signal(signal.SIGTERM)
        p.wait(10)


def wrk(url, seconds, connections=16, script=None):
    """Requests a second."""
    out = subprocess.run(["wrk", "-t2", f"-c{connections}", f"-d{max(1, round(seconds))}s", *(["-s", script] if script else []), url], capture_output=True, text=True, check=True).stdout
    if re.search(r"Non-2xx|Socket errors", out):
        raise RuntimeError(f"{url}: {out}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])


def certificate(where):
    pem, key = os.path.join(where, "c.pem"), os.path.join(where, "c.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout", key, "-out", pem, "-subj", "/CN=localhost"], check=True, capture_output=True)
    return pem, key


def public_url(d, name):
    r = d.request("POST", f"/2021-10-31/functions/{name}/url", {"AuthType": "NONE"}).json["FunctionUrl"]
    for s in ({"StatementId": "u", "Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"}, {"StatementId": "i", "Action": "lambda:InvokeFunction", "Principal": "*", "InvokedViaFunctionUrl": True}):
        d.request("POST", f"/2015-03-31/functions/{name}/policy", s)
    return re.search(r"//(\w+)\.", r)[1]


def urls(b):
    slices = 2 if b.quick else 8
    with tempfile.TemporaryDirectory(dir="/tmp") as where:
        pem, key = certificate(where)
        plain, tls = harness.free_port(), harness.free_port()
        with daemon({"gateway": {"listen": f"127.0.0.1:{plain}", "tls_listen": f"127.0.0.1:{tls}", "certificates": [{"certificate": pem, "key": key}]}}) as d:
            create(d, "native", runtimes(d)["native"])
            wait_active(d, ["native"])
            path = f"/_fnd/url/{public_url(d, 'native')}/"
            targets = ["--target", f"direct={d.port}{INVOKE.format('native')}", "--target", f"url={plain}{path}"]
            load(b, "--connections", 16, "--seconds", 0.5, *targets)
            for connections in (1, 16):
                b.say(f"function URLs, {connections} connection{'s' * (connections > 1)}")
                out = load(b, "--connections", connections, "--slices", slices, "--seconds", b.seconds, *targets)["targets"]
                url, direct = out["url"], out["direct"]
                ratios = [u["p50_us"] / i["p50_us"] for u, i in zip(url["slices"], direct["slices"])]
                name = f"url_{connections}_connection{'s' * (connections > 1)}_us"
                b.figures[name] = {"unit": "us", **percentiles(url), "rps": url["rps"], "errors": url["errors"], "error": url["error"],
                                   "excess_us": quantile([u["p50_us"] - i["p50_us"] for u, i in zip(url["slices"], direct["slices"])], 0.5),
                                   "peers": {"direct Invoke": {**percentiles(direct), "ratio": quantile(ratios, 0.5), "ratio_min": min(ratios), "ratio_max": max(ratios), "pairs": len(ratios)}}}
                if connections == 1:
                    b.figures[name]["aim_excess_us"] = 60
            post = os.path.join(where, "post.lua")
            with open(post, "w") as f:
                f.write('wrk.method = "POST"; wrk.body = "{}"\n')
            with nginx(b, d, INVOKE.format("native"), pem, key, where) as peer:
                for label, scheme, port, peer_port, aim in (("plain", "http", plain, peer and peer[0], 12000), ("tls", "https", tls, peer and peer[1], 7000)):
                    b.say(f"function URLs, {label}, requests a second at 16 connections")
                    ours, theirs = [], []
                    for _ in range(2 if b.quick else 5):
                        ours.append(wrk(f"{scheme}://127.0.0.1:{port}{path}", b.seconds))
                        if peer:
                            theirs.append(wrk(f"{scheme}://127.0.0.1:{peer_port}/", b.seconds, script=post))
                    figure = b.figures[f"rps_url_{label}_16_connections"] = {"unit": "rps", "p50": quantile(ours, 0.5), "n": len(ours), "rounds": ours, "aim_at_least": aim, "peers": {}}
                    if theirs:
                        ratios = [o / t for o, t in zip(ours, theirs)]
                        figure["peers"]["nginx, proxying to the same function"] = {"p50": quantile(theirs, 0.5), "n": len(theirs), "ratio": quantile(ratios, 0.5), "ratio_min": min(ratios), "ratio_max": max(ratios), "pairs": len(ratios)}
