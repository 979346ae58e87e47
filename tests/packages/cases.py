"""What a case of `make check-packages` is: unmodified software from a registry, in a function of its own, that does what it is for. What lies in `layer/` of its package is
a layer of the function."""
import dataclasses


@dataclasses.dataclass
class Case:
    """`install`: what the ecosystem's client is asked for (pip requirements, npm packages, ...); `files`: {path in the package: text};
    `check`: of the list of answers to `events` and of the log, raises or asserts. `build`: of a case that wants more than an installation: called with
    the directory of the package, before it is zipped."""
    name: str
    ecosystem: str  # pypi, npm, maven, go, crates, debian
    install: list
    runtime: str
    handler: str
    files: dict
    check: object
    events: list = dataclasses.field(default_factory=lambda: [{}])
    env: dict = dataclasses.field(default_factory=dict)
    memory: int = 512
    timeout: int = 60
    build: object = None
    ends: str = ""  # what must be in the log when its environment has been ended, being idle
    large: bool = False  # its package is more than a request may bring on Lambda, where it comes from S3; here package_max_mb lets it
    image: dict = None  # of a container image that has the package: entrypoint, cmd, env (images.py)
    drop: list = dataclasses.field(default_factory=list)  # globs of what the package does not need: the limits are Lambda's


def request(method, path, query=None, body=None):
    """As API Gateway's REST APIs have it."""
    return {"resource": "/{proxy+}", "path": path, "httpMethod": method, "headers": {"Accept": "application/json", "Content-Type": "application/json"},
            "multiValueHeaders": {"Accept": ["application/json"], "Content-Type": ["application/json"]}, "queryStringParameters": query, "multiValueQueryStringParameters": {k: [v] for k, v in (query or {}).items()} or None,
            "pathParameters": None, "stageVariables": None, "body": body, "isBase64Encoded": False,
            "requestContext": {"resourceId": "r", "resourcePath": "/{proxy+}", "httpMethod": method, "path": path, "accountId": "000000000000", "protocol": "HTTP/1.1", "stage": "prod", "requestId": "id", "apiId": "a",
                               "identity": {"sourceIp": "127.0.0.1", "userAgent": "test"}}}


def equal(*expected):
    """The answers are these."""
    def check(answers, log):
        assert answers == list(expected), f"{answers} is not {list(expected)}"
    return check


def logged(*texts, answers=None):
    """The log has all of these."""
    def check(got, log):
        assert answers is None or got == answers, f"{got} is not {answers}"
        for t in texts:
            assert t in log, f"no {t!r} in the log"
    return check
