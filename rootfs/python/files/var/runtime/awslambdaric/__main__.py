"""main(["", handler]): the runtime's loop. `awslambdaricmain.bootstrap` is where Sentry looks for it."""
import os
import sys

from . import bootstrap
from .lambda_runtime_client import LambdaRuntimeClient


def main(args):
    if len(args) < 2:
        print("Handler not set")
        sys.exit(1)
    bootstrap.run(args[1], LambdaRuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"]))


if __name__ == "__main__":
    main(sys.argv)
