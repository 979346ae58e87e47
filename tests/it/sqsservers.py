"""SQS servers that tests use, as they are published: ElasticMQ, from Maven's repository."""
import tempfile
import maven
from harness import free_port
from servers import Server

ELASTICMQ = "org.elasticmq:elasticmq-server_2.13:1.6.14", "79da023465d07d4e5fbacd5fb844959163188219dd8938945b178b7908bd4e10"
CONFIG = """include classpath("application.conf")
node-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-port = {port}, bind-hostname = "127.0.0.1", sqs-limits = strict }}
rest-stats {{ enabled = false }}
aws {{ region = us-east-1, accountId = 000000000000 }}
"""


class ElasticMQ(Server):
    """In memory, at 127.0.0.1."""

    def __init__(self):
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        self.config = tempfile.NamedTemporaryFile("w", suffix=".conf")
        self.config.write(CONFIG.format(port=port))
        self.config.flush()
        super().__init__(["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dconfig.file=" + self.config.name, "-cp", maven.archives(*ELASTICMQ) + "/*", "org.elasticmq.server.Main"], port)

    def end(self):
        super().end()
        self.config.close()

    def client(self):
        import boto3
        return boto3.client("sqs", endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any")
