# What an AWS_LAMBDA_EXEC_WRAPPER runs: bootstrap, past the wrapper. Imported, it is the runtime's module, for what looks for that one by this name.
if __name__ == "__main__":
    import fnd_start

    awslambdaricmain = fnd_start.runtime()
    fnd_start.main(awslambdaricmain)
else:
    import sys

    import awslambdaric.__main__ as awslambdaricmain

    sys.modules[__name__] = awslambdaricmain.bootstrap
