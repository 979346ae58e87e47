"""Unmodified deploy tools, and SDKs, against fnd's endpoint: each deploys a function as its users do, invokes it, reads its log where it can, and takes it away again."""
import dataclasses, glob, json, os, shutil

HANDLER = "def handler(event, context):\n    print('said to', event.get('name'))\n    return {'hello': event.get('name')}\n"
ROLE = "arn:aws:iam::000000000000:role/tools"


@dataclasses.dataclass
class Tool:
    """`install`: as a Case's. `drive(t)`: t.sh(argv) runs a command in t.work, an empty directory, with what is installed on its PATH, AWS_ENDPOINT_URL and credentials, and
    returns its output; t.daemon is fnd. It raises or asserts."""
    name: str
    ecosystem: str  # pypi, npm, go, maven; terraform: `terraform` on PATH, and its provider for AWS as plugins() finds it
    install: list
    drive: object
    runtime: str = "deploys with it"  # in the table


def write(t, path, text):
    full = os.path.join(t.work, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w") as f:
        f.write(text)


def has(text, *parts):
    for p in parts:
        assert p in text, f"no {p!r} in {text[-1500:]!r}"


def sam(t):
    t.daemon.create_python("t-sam", HANDLER)
    has(t.sh(["sam", "remote", "invoke", "arn:aws:lambda:us-east-1:000000000000:function:t-sam", "--event", '{"name": "sam"}']), '{"hello": "sam"}', "said to sam")
    has(t.sh(["sam", "logs", "--cw-log-group", "/aws/lambda/t-sam"]), "said to sam", "REPORT RequestId")
    t.daemon.delete("t-sam")


def osls(t):
    write(t, "f.py", HANDLER)
    write(t, "serverless.yml", "service: tools\nprovider: {name: aws, runtime: python3.11, region: us-east-1}\nfunctions: {f: {handler: f.handler, name: t-osls}}\n")
    t.daemon.create_python("t-osls", "def handler(event, context):\n    return 1\n")
    t.sh(["osls", "deploy", "function", "-f", "f"])
    has(t.sh(["osls", "invoke", "-f", "f", "-d", '{"name": "osls"}']), '"hello": "osls"')
    has(t.sh(["osls", "logs", "-f", "f"]), "said to osls")
    t.daemon.delete("t-osls")


def chalice(t):
    write(t, "app.py", "from chalice import Chalice\napp = Chalice(app_name='t')\n@app.lambda_function(name='hi')\ndef hi(event, context):\n    print('said to', event['name'])\n    return {'hello': event['name']}\n")
    write(t, "requirements.txt", "")
    write(t, ".chalice/config.json", json.dumps({"version": "2.0", "app_name": "t-chalice", "stages": {"dev": {"api_gateway_stage": "api"}}, "lambda_memory_size": 256}))
    t.sh(["chalice", "deploy"])
    has(t.sh(["chalice", "invoke", "-n", "hi"], input='{"name": "chalice"}'), '"hello": "chalice"')
    has(t.sh(["chalice", "logs", "-n", "hi"]), "said to chalice")
    t.sh(["chalice", "deploy"])  # again: what is there is updated
    t.sh(["chalice", "delete"])
    assert t.daemon.request("GET", "/2015-03-31/functions/t-chalice-dev-hi").status == 404


def cargo_lambda(t):
    """Without --iam-role it makes a role of its own."""
    write(t, "Cargo.toml", '[package]\nname = "t-cargo"\nversion = "0.1.0"\nedition = "2021"\n')
    write(t, "src/main.rs", "fn main() {}\n")
    os.makedirs(os.path.join(t.work, "target/lambda/t-cargo"))
    shutil.copy(os.path.join(os.environ["FND_BUILD"], "fixtures/bootstrap"), os.path.join(t.work, "target/lambda/t-cargo/bootstrap"))
    t.sh(["cargo-lambda", "lambda", "deploy", "t-cargo"])
    has(t.sh(["cargo-lambda", "lambda", "invoke", "--remote", "t-cargo", "--data-ascii", '{"do":"echo","n":5}']), '"n":5')
    t.daemon.delete("t-cargo")


PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  module_defaults:
    group/aws: {endpoint_url: "%(url)s", region: us-east-1, access_key: any, secret_key: any}
  vars:
    ansible_python_interpreter: /usr/bin/python3
    it: &it {name: t-ansible, state: present, zip_file: "%(work)s/f.zip", runtime: python3.11, role: "%(role)s", handler: f.handler, memory_size: 256, timeout: 5}
  tasks:
    - amazon.aws.iam_role: {name: t-ansible, assume_role_policy_document: "{{ trust | to_json }}", managed_policies: ["arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"], wait: true}
      vars: {trust: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "sts:AssumeRole", Principal: {Service: lambda.amazonaws.com}}]}}
    - amazon.aws.lambda: *it
      register: made
    - amazon.aws.lambda: *it
      register: again
    - amazon.aws.lambda_alias: {function_name: t-ansible, name: live, state: present, function_version: 0}
    - amazon.aws.lambda_policy: {function_name: t-ansible, state: present, statement_id: s1, action: "lambda:InvokeFunction", principal: s3.amazonaws.com, source_arn: "arn:aws:s3:::b", source_account: "123456789012"}
    - community.aws.sqs_queue: {name: t-ansible, default_visibility_timeout: 60}
      register: queue
    - amazon.aws.lambda_event: {event_source: sqs, function_name: t-ansible, state: present, source_params: {source_arn: "{{ queue.queue_arn }}", enabled: true, batch_size: 5}}
    - amazon.aws.lambda_execute: {name: t-ansible, payload: {name: ansible}}
      register: result
    - amazon.aws.lambda_info: {function_name: t-ansible, query: all}
      register: info
    - ansible.builtin.copy:
        dest: "%(work)s/result.json"
        content: "{{ {'made': made.changed, 'again': again.changed, 'result': result.result, 'mappings': info.functions[0].mappings | length} | to_json }}"
    - amazon.aws.lambda_event: {event_source: sqs, function_name: t-ansible, state: absent, source_params: {source_arn: "{{ queue.queue_arn }}"}}
    - amazon.aws.lambda_policy: {function_name: t-ansible, state: absent, statement_id: s1, action: "lambda:InvokeFunction", principal: s3.amazonaws.com}
    - community.aws.sqs_queue: {name: t-ansible, state: absent}
    - amazon.aws.lambda: {name: t-ansible, state: absent}
    - amazon.aws.iam_role: {name: t-ansible, state: absent}
"""


def ansible(t):
    write(t, "f.py", HANDLER)
    t.sh(["/usr/bin/python3", "-m", "zipfile", "-c", "f.zip", "f.py"])
    write(t, "p.yml", PLAYBOOK % {"url": t.daemon.endpoint, "work": t.work, "role": "arn:aws:iam::000000000000:role/t-ansible"})
    t.sh(["ansible-playbook", "p.yml"])
    with open(os.path.join(t.work, "result.json")) as f:
        said = json.load(f)
    assert (said["made"], said["again"], said["result"]["output"], said["mappings"]) == (True, False, {"hello": "ansible"}, 1), said


def plugins():
    """The directory that `terraform init -plugin-dir` takes the provider from: FND_TERRAFORM_PLUGINS, or where such directories are kept. None: there is none."""
    kept = [os.environ.get("FND_TERRAFORM_PLUGINS"), os.path.expanduser("~/.terraform.d/plugins"), "/usr/share/terraform/plugins", "/usr/local/share/terraform/plugins", *glob.glob("/opt/*")]
    return next((d for d in kept if d and glob.glob(os.path.join(d, "registry.terraform.io/hashicorp/aws/*/linux_*/terraform-provider-aws*"))), None)


def terraform_with(t, file):
    """A function that runs terraform in t.work, where this file of the directory terraform is."""
    def tf(*argv):
        return t.sh(["terraform", *argv, "-no-color"])

    shutil.copy(os.path.join(os.path.dirname(os.path.abspath(__file__)), "terraform", file), os.path.join(t.work, "main.tf"))
    write(t, "rc", "")
    t.env.update(TF_CLI_CONFIG_FILE=os.path.join(t.work, "rc"), CHECKPOINT_DISABLE="1", TF_IN_AUTOMATION="1", AWS_EC2_METADATA_DISABLED="true")
    tf("init", "-plugin-dir=" + plugins())
    return tf


def terraform(t):
    """A function with its role, layer, log group, queues, alias, URL, permissions, mapping, event-invoke configuration and more: applied, unchanged at once, changed, unchanged again, destroyed."""

    def package(text, n):
        write(t, "lay/python/lay.py", f"N = {n}\n")
        write(t, "src/f.py", "import lay, os\n" + HANDLER.replace("return {", "return {'layer': lay.N, 'text': os.environ['TEXT'], 'version': context.function_version, "))
        for name, at in (("f.zip", "src"), ("lay.zip", "lay")):
            t.sh(["/usr/bin/python3", "-m", "zipfile", "-c", name, *glob.glob(os.path.join(t.work, at, "*"))])
        return [f"-var=text={text}", f"-var=n={n}"]

    tf = terraform_with(t, "main.tf")
    for text, n, version in (("one", 5, "1"), ("two", 6, "2")):
        variables = package(text, n)
        tf("apply", "-auto-approve", "-input=false", *variables)
        result = json.loads(json.loads(tf("output", "-json"))["result"]["value"])
        assert result == {"hello": "terraform", "layer": n, "text": text, "version": version}, result
        has(tf("plan", "-detailed-exitcode", "-input=false", *variables), "No changes.")
        read = lambda path: t.daemon.request("GET", path).json
        assert read("/2015-03-31/event-source-mappings/?FunctionName=tf-f")["EventSourceMappings"][0]["BatchSize"] == n
        assert read("/2021-10-31/functions/tf-f/url?Qualifier=live")["Cors"]["MaxAge"] == n
        assert read("/2019-09-25/functions/tf-f/event-invoke-config")["MaximumRetryAttempts"] == n - 5
    tf("destroy", "-auto-approve", "-input=false")
    assert t.daemon.request("GET", "/2015-03-31/functions/tf-f").status == 404
    left = [l["LayerName"] for l in t.daemon.request("GET", "/2018-10-31/layers").json["Layers"]]
    assert "tf-lay" not in left, left


def terraform_image(t):
    """PackageType Image, by tag and by digest, from docker-registry: applied, unchanged at once, moved to another image, unchanged again, destroyed."""
    import harness, ociimages
    directory = os.path.join(t.work, "registry")
    os.makedirs(directory)
    registry = ociimages.Registry(directory)
    d = harness.Daemon({"registries": {"hosts": {registry.host: {"plain_http": True}}}})
    try:
        d.start()
        t.env["AWS_ENDPOINT_URL"] = d.endpoint
        tf = terraform_with(t, "image.tf")
        one, two = (ociimages.native([("app/marker", m)]) for m in ("1", "2"))
        for image, uri, version, seconds in ((one, registry.push(one, "team/app", "one"), "1", 10), (two, registry.push(two, "team/app", "two"), "2", 10),
                                             (one, f"{registry.host}/team/app@{one.digest}", "3", 11)):
            variables = [f"-var=image={uri}", f"-var=seconds={seconds}"]
            tf("apply", "-auto-approve", "-input=false", *variables)
            said = {k: v["value"] for k, v in json.loads(tf("output", "-json")).items()}
            assert (json.loads(said["result"]), said["version"]) == ({"name": uri}, version), said
            has(tf("plan", "-detailed-exitcode", "-input=false", *variables), "No changes.")
            got = d.request("GET", "/2015-03-31/functions/tf-image").json
            assert got["Code"] == {"ImageUri": uri, "RepositoryType": "ECR", "ResolvedImageUri": f"{registry.host}/team/app@{image.digest}"}, got
            assert got["Configuration"]["ImageConfigResponse"] == {"ImageConfig": {"Command": ["app.handler"], "WorkingDirectory": "/app"}}, got
        tf("destroy", "-auto-approve", "-input=false", *variables)
        assert d.request("GET", "/2015-03-31/functions/tf-image").status == 404
    finally:
        d.remove()
        registry.end()


def sdk(t, language, build, run):
    """A program of tests/packages/sdk, which says "all done"."""
    import harness
    shutil.copytree(os.path.join(os.path.dirname(os.path.abspath(__file__)), "sdk", language), t.work, dirs_exist_ok=True)
    t.sh(build)
    key = {"access_key_id": "AKIAROOTEXAMPLE12345", "secret_access_key": "s" * 40}
    d = harness.Daemon({"credentials": [key]}).start()
    try:
        t.env.update(AWS_ENDPOINT_URL=d.endpoint, AWS_ACCESS_KEY_ID=key["access_key_id"], AWS_SECRET_ACCESS_KEY=key["secret_access_key"], BOOTSTRAP=os.path.join(harness.BUILD, "fixtures/bootstrap"))
        has(t.sh(run), "all done")
    finally:
        d.remove()


TOOLS = [
    Tool("aws-sam-cli", "pypi", ["aws-sam-cli==1.170.0"], sam),
    Tool("chalice", "pypi", ["chalice==1.34.0", "setuptools", "pip", "wheel"], chalice),
    Tool("cargo-lambda", "pypi", ["cargo-lambda==1.9.2"], cargo_lambda),
    Tool("ansible", "pypi", ["ansible==12.3.0", "boto3==1.44.8"], ansible),
    Tool("terraform", "terraform", [], terraform),
    Tool("terraform, of an image", "terraform", [], terraform_image),
    Tool("AWS SDK for Go v2", "go", [], lambda t: sdk(t, "go", ["go", "build", "-o", "app", "."], ["./app"]), "does everything"),
    Tool("AWS SDK for Java v2", "maven", [], lambda t: sdk(t, "java", ["mvn", "-q", "-B", "-Dmaven.repo.local=" + os.path.expanduser("~/.m2/repository"), "package"], ["java", "-cp", "target/classes:target/dependency/*", "app.Main"]),
         "does everything"),
    Tool("osls", "npm", ["osls@4.3.1"], osls),
]
