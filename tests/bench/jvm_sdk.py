"""Java with AWS's SDK on its class path: cold starts plainly, from an archive of the function's own classes, and of a runtime started ahead, beside AWS's own client."""
import glob, os

import javac, maven
from common import FULL_CPU_MB, create, quantile
from harness import IMAGES, make_zip, wait_until
from invocations import cold_round, daemon
from jvm import aws_client, bootstrap

ARCHIVES = (("software.amazon.awssdk:s3:2.34.0", "24f5e8c9e6bc743328d0da9842dfb3c8d12088d426be79ac000ac1153ee5f180"),
            ("software.amazon.awssdk:dynamodb:2.34.0", "8dde2617880bc516c970cdd17e4da1b620a15dcf9a607ac43b49af31be1d2b3a"))
HANDLER = {"Sdk.java": """import com.amazonaws.services.lambda.runtime.*;
import java.net.URI;
import java.util.*;
import software.amazon.awssdk.auth.credentials.*;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.s3.S3Client;

public class Sdk implements RequestHandler<Map<String, Object>, Object> {
	static final StaticCredentialsProvider KEYS = StaticCredentialsProvider.create(AwsBasicCredentials.create("a", "b"));
	final DynamoDbClient dynamo = DynamoDbClient.builder().region(Region.US_EAST_1).credentialsProvider(KEYS).endpointOverride(URI.create("http://127.0.0.1:1")).build();
	final S3Client s3 = S3Client.builder().region(Region.US_EAST_1).credentialsProvider(KEYS).endpointOverride(URI.create("http://127.0.0.1:1")).build();

	public Object handleRequest(Map<String, Object> e, Context c) {
		return s3.utilities().getUrl(b -> b.bucket("b").key("k")).toString() + dynamo.serviceName();
	}
}
"""}


def library():
    found = {}
    for dependency, digest in ARCHIVES:
        for path in glob.glob(maven.archives(dependency, digest) + "/*.jar"):
            with open(path, "rb") as f:
                found["lib/" + os.path.basename(path)] = f.read()
    return found


def archives_ready(d):
    return sum(i["Kind"] == "class archive" and i["State"] == "ready" for i in d.request("GET", "/_fnd/disk").json["Items"])


def sdk(b):
    rounds, n = (2, 2) if b.quick else (5, 3)
    own, jars = aws_client(), library()
    classes = javac.compiled(HANDLER, ":".join(os.path.join(maven.archives(*a), "*") for a in ARCHIVES))
    alone, uber = make_zip({**jars, "lib/app.jar": make_zip(classes)}), make_zip({**jars, **classes})
    wrap = {"wrap": bootstrap().replace("exec ", "unset AWS_LAMBDA_EXEC_WRAPPER\nexec ")}
    for version in ("java17", "java21", "java25"):
        if not os.path.exists(os.path.join(IMAGES, version + ".json")):
            b.note(f"{version} is not built: make images IMAGES={version}")
            continue
        b.say(f"cold with AWS's SDK: {version}")
        samples = {"plain": [], "archive": [], "root": [], "ahead": [], "aws": []}
        off, on = {"prestarted_most": 0, "prestarted_least": 0, "class_archive_ms": 0}, {"prestarted_most": 0, "prestarted_least": 0, "class_archive_ms": 1}
        with daemon(off) as plain, daemon(on) as archive, daemon({"prestarted_least": n + 2, "class_archive_ms": 0}) as ahead:
            places = [("plain", plain, "p", alone), ("archive", archive, "l", alone), ("root", archive, "r", uber), ("ahead", ahead, "a", alone)]
            if own:
                places.append(("aws", plain, "t", make_zip({**jars, **own, "lib/app.jar": make_zip(classes), **wrap}, {"wrap": 0o755})))
            for label, d, prefix, package in places:
                for i in range(n):
                    more = {"Environment": {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}}} if label == "aws" else {}
                    create(d, f"{prefix}{i}", (version, "Sdk", package), **more)
                    d.settled(f"{prefix}{i}")
                cold_round(b, d, prefix, 0, n, 100)
            wait_until("all have an archive", lambda: archives_ready(archive) == 2 * n, 600)
            for k in range(rounds):
                for label, d, prefix, _ in places:
                    for i in range(n):
                        d.configure(f"{prefix}{i}", Description=str(k))
                    if d is ahead:
                        wait_until(f"{version} has been started ahead", lambda: any(name.startswith(version) and c >= n for name, c in ahead.doctor()["Prepared"].items() if isinstance(c, int)))
                    samples[label].append(cold_round(b, d, prefix, 0, n, 100)[0])
        for label, what in (("archive", "lib/*.jar"), ("root", "classes beside lib/*.jar")):
            figure = f"cold_{version}_sdk_{label}_us"
            b.figure(figure, samples[label], memory_mb=FULL_CPU_MB, what=f"from an archive of its own, package: {what}")
            b.peer(figure, "without it", samples["plain"])
            b.peer(figure, "without it, runtime started ahead", samples["ahead"])
            if own:
                b.peer(figure, "AWS's own client on it", samples["aws"], **({"aim": 0.5} if label == "archive" else {}))
        b.say(f"{version}: " + ", ".join(f"{label} {quantile(sum(v, []), 0.5)}" for label, v in samples.items() if v) + " us")
