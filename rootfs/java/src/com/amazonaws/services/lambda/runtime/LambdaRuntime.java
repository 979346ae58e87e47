package com.amazonaws.services.lambda.runtime;

/** The logger, for who has no Context at hand. */
public final class LambdaRuntime {
	static volatile LambdaLogger logger; // the runtime's, before any of the function's classes is loaded

	private LambdaRuntime() {
	}

	public static LambdaLogger getLogger() {
		return logger;
	}
}
