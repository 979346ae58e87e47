#!/bin/sh
# What container images of AWS's start with: the runtime, for the handler that the first argument names. (AWS Lambda Developer Guide,
# "images-create"; where a function is run as a zip, nothing calls it.)
if [ $# -ne 1 ]; then
	echo "entrypoint requires the handler name to be the first argument" >&2
	exit 142
fi
export _HANDLER="$1"
for runtime in /var/runtime/bootstrap /var/task/bootstrap /opt/bootstrap; do
	[ ! -x "$runtime" ] || break
done
if [ -z "$AWS_LAMBDA_RUNTIME_API" ]; then
	exec /usr/local/bin/aws-lambda-rie "$runtime"
fi
exec "$runtime"
