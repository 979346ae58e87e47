# What an AWS_LAMBDA_EXEC_WRAPPER runs: bootstrap, past the wrapper.
import fnd_runtime

fnd_runtime.main()
