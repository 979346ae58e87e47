"""Programs of other languages on provided.al2023: what people bring as `bootstrap`. What Go's and Rust's clients do there is tests/it/test_conformance.py's."""
import glob, json, os, shutil

from cases import Case, equal, logged

ADAPTER = "1.0.0-rc1"


def native(name, ecosystem, install, files, check, build, **more):
    return Case(name, ecosystem, install, "provided.al2023", "app.Handler::handleRequest" if ecosystem == "maven" else "main", files, check, build=build, **more)


def go(directory, run):
    run(["go", "mod", "tidy"], directory)
    run(["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", "bootstrap", "."], directory, CGO_ENABLED="1")


def extension(directory, run):
    run(["cargo", "build", "--release", "--quiet"], directory)
    os.makedirs(os.path.join(directory, "layer/extensions"))
    shutil.move(os.path.join(directory, "target/release/watcher"), os.path.join(directory, "layer/extensions/watcher"))
    shutil.rmtree(os.path.join(directory, "target"))


def web_adapter(directory, run):
    """As its own layer has it, and images get it in /opt/extensions: the program, built once for all that have it."""
    root = os.path.join(os.path.dirname(directory), "lambda_web_adapter-" + ADAPTER)
    run(["cargo", "install", "--quiet", "--root", root, "lambda_web_adapter", "--version", ADAPTER], directory)
    os.makedirs(os.path.join(directory, "layer/extensions"))
    shutil.copy(glob.glob(os.path.join(root, "bin/*"))[0], os.path.join(directory, "layer/extensions/lambda-adapter"))


def served_by_uvicorn(directory, run):
    """What FastAPI's users have in their Dockerfile: RUN pip install, COPY --from=public.ecr.aws/awsguru/aws-lambda-adapter."""
    run(["/usr/bin/python3", "-m", "pip", "install", "-q", "--target", directory, "--only-binary=:all:", "--python-version", "3.11", "--implementation", "cp", "--platform", "manylinux2014_x86_64",
         "--platform", "manylinux_2_17_x86_64", "fastapi==0.165.0", "uvicorn==0.54.0"], directory)
    web_adapter(directory, run)


def bun(directory, run):
    run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "@oven/bun-linux-x64@1"], directory)
    shutil.move(os.path.join(directory, "node_modules/@oven/bun-linux-x64/bin/bun"), os.path.join(directory, "bun"))
    shutil.rmtree(os.path.join(directory, "node_modules"))


def java(directory, run):
    run(["mvn", "-q", "-B", "package"], directory)
    home = os.path.dirname(os.path.dirname(os.path.realpath(shutil.which("jlink") or "/usr/bin/jlink")))
    run([os.path.join(home, "bin/jlink"), "--add-modules", "java.base,java.logging,java.management,java.xml,java.naming,java.desktop,jdk.unsupported", "--strip-java-debug-attributes", "--no-man-pages", "--no-header-files", "--compress", "0",
         "--output", "java"], directory)
    os.makedirs(os.path.join(directory, "lib"))
    for jar in glob.glob(os.path.join(directory, "target/*.jar")) + glob.glob(os.path.join(directory, "target/dependency/*.jar")):
        shutil.move(jar, os.path.join(directory, "lib"))
    shutil.rmtree(os.path.join(directory, "target"))


def heap(answers, log):
    hello, mb, processors = answers[0]
    assert hello == "hello you" and processors >= 1, answers
    assert 100 < mb < 500, f"the heap of a function of 512 MB may grow to {mb} MB"


def watched(answers, log):
    assert f"watcher: invoke {answers[0]}" in log, log[-1500:]
    assert "EXTENSION\tName: watcher\tState: Ready\tEvents: [INVOKE, SHUTDOWN]" in log, log[-1500:]


def web_event(path):
    """As function URLs and HTTP APIs have it."""
    return {"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": {"host": "x", "user-agent": "curl"}, "isBase64Encoded": False,
            "requestContext": {"accountId": "anonymous", "apiId": "x", "domainName": "x", "domainPrefix": "x", "requestId": "1", "routeKey": "$default", "stage": "$default",
                               "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 1767225600000, "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "curl"}}}


def adapted(answers, log):
    assert [a["statusCode"] for a in answers] == [200, 418], answers
    assert json.loads(answers[0]["body"]) == {"path": "/a/b", "agent": "curl"}, answers
    assert "EXTENSION\tName: lambda-adapter\tState: Ready" in log, log[-1500:]


CASES = [
    native("Go, WithEnableSIGTERM", "go", [], {"main.go": """package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.StartWithOptions(func(ctx context.Context, e struct{ Name string }) (string, error) { return "hello " + e.Name, nil },
		lambda.WithEnableSIGTERM(func() { fmt.Println("the function got SIGTERM") }))
}
""", "go.mod": "module app\n\ngo 1.21\n\nrequire github.com/aws/aws-lambda-go v1.47.0\n"}, logged("EXTENSION\tName: GoLangEnableSIGTERM\tState: Ready\tEvents: []\n", answers=["hello you"]), go,
           events=[{"Name": "you"}], memory=128, ends="the function got SIGTERM"),
    Case("Rust, lambda-extension", "crates", [], "python3.11", "f.handler", {"f.py": "def handler(event, c):\n    return c.aws_request_id\n", "src/main.rs": """use lambda_extension::{service_fn, Error, Extension, LambdaEvent, NextEvent};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    Extension::new()
        .with_events(&["INVOKE", "SHUTDOWN"])
        .with_events_processor(service_fn(|event: LambdaEvent| async move {
            match event.next {
                NextEvent::Shutdown(e) => println!("watcher: shutdown, {}", e.shutdown_reason),
                NextEvent::Invoke(e) => println!("watcher: invoke {}", e.request_id),
            }
            Ok::<(), Error>(())
        }))
        .run()
        .await
}
""", "Cargo.toml": '[package]\nname = "watcher"\nversion = "0.1.0"\nedition = "2021"\n\n[dependencies]\nlambda-extension = "1"\ntokio = { version = "1", features = ["macros", "rt"] }\n\n[profile.release]\nopt-level = 1\ncodegen-units = 4\ndebug = false\n'},
         watched, build=extension, memory=128, ends="watcher: shutdown, spindown"),
    Case("Lambda Web Adapter", "crates", [], "python3.11", "run.sh", {"run.sh": "#!/bin/sh\ncd /var/task\nexec python3 serve.py\n", "serve.py": """import http.server, json

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps({"path": self.path, "agent": self.headers.get("user-agent")}).encode()
        self.send_response(418 if "tea" in self.path else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
""", "layer/bootstrap": '#!/bin/sh\nexec -- "${LAMBDA_TASK_ROOT}/${_HANDLER}"\n'}, adapted, build=web_adapter, events=[web_event("/a/b"), web_event("/tea")], memory=256,
         env={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap"}),
    Case("FastAPI in an image, Lambda Web Adapter", "crates", [], "python3.11", "", {"main.py": """import os
from fastapi import FastAPI, Request, Response

app = FastAPI()

@app.get("/a/{rest}")
def path(rest: str, request: Request):
    return {"path": request.url.path, "agent": request.headers["user-agent"]}

@app.get("/tea", status_code=418)
def tea(response: Response):
    return {"on": os.environ["AWS_LAMBDA_FUNCTION_NAME"]}
"""}, adapted, build=served_by_uvicorn, events=[web_event("/a/b"), web_event("/tea")], memory=512,
         image={"cmd": ["python3", "-m", "uvicorn", "--port=8080", "main:app"], "env": ["PATH=/usr/bin:/bin", "PYTHONPATH=/var/task", "PORT=8080"]}),
    native("Bun", "npm", [], {"bootstrap": "#!/bin/sh\ncd /var/task\nexec ./bun run runtime.ts\n", "runtime.ts": """
const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`;
for (;;) {
  const next = await fetch(`${api}/next`, { timeout: false } as any);
  const id = next.headers.get('lambda-runtime-aws-request-id');
  const event: any = await next.json();
  await fetch(`${api}/${id}/response`, { method: 'POST', body: JSON.stringify([`hello ${event.name}`, typeof Bun.version]) });
}
"""}, equal(["hello you", "string"]), bun, events=[{"name": "you"}], memory=512),
    native("jlinked JVM, AWS's Java client", "maven", [], {"bootstrap": "#!/bin/sh\nexec /var/task/java/bin/java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '/var/task/lib/*' com.amazonaws.services.lambda.runtime.api.client.AWSLambda \"$_HANDLER\"\n",
           "src/main/java/app/Handler.java": """package app;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.*;

public class Handler implements RequestHandler<Map<String, Object>, List<Object>> {
	public List<Object> handleRequest(Map<String, Object> e, Context c) {
		return List.of("hello " + e.get("name"), Runtime.getRuntime().maxMemory() >> 20, Runtime.getRuntime().availableProcessors());
	}
}
""", "pom.xml": """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>app</groupId><artifactId>app</artifactId><version>1</version>
<properties><maven.compiler.source>11</maven.compiler.source><maven.compiler.target>11</maven.compiler.target><project.build.sourceEncoding>UTF-8</project.build.sourceEncoding></properties>
<dependencies>
<dependency><groupId>com.amazonaws</groupId><artifactId>aws-lambda-java-core</artifactId><version>1.2.3</version></dependency>
<dependency><groupId>com.amazonaws</groupId><artifactId>aws-lambda-java-runtime-interface-client</artifactId><version>2.6.0</version></dependency>
</dependencies>
<build><plugins><plugin><artifactId>maven-dependency-plugin</artifactId><version>3.6.1</version><executions><execution><phase>package</phase><goals><goal>copy-dependencies</goal></goals></execution></executions></plugin></plugins></build>
</project>
"""}, heap, java, events=[{"name": "you"}], memory=512),
]
