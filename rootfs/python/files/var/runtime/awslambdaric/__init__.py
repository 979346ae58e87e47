"""The Python runtime, under the names of AWS's runtime interface client: what instruments that one (Sentry, OpenTelemetry, Datadog, New Relic) finds
the functions and classes that it replaces. The code is our own. Contract: AWS Lambda Developer Guide, "runtimes-api", "python-handler",
"python-context", "python-logging", "python-exceptions"; where that is silent, the client's behaviour (PyPI's awslambdaric).

Written to start fast: neither json, logging nor http.client is imported unless the function does.
"""
__version__ = "4.2.2"  # whose names and behaviour these are
