package com.amazonaws.services.lambda.runtime;

/** What the runtime and AWS's appender for log4j tell each other. */
public final class LambdaRuntimeInternal {
	private static boolean useLog4jAppender;

	private LambdaRuntimeInternal() {
	}

	public static void setUseLog4jAppender(boolean use) {
		useLog4jAppender = use;
	}

	public static boolean getUseLog4jAppender() {
		return useLog4jAppender;
	}

	/** This runtime's; by reflection, as AWS's does it, a cold start would take 10 ms longer. */
	public static void setLogger(LambdaLogger logger) {
		LambdaRuntime.logger = logger;
	}
}
