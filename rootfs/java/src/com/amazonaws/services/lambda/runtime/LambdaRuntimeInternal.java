package com.amazonaws.services.lambda.runtime;

/** What AWS's appender for log4j tells the runtime. */
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
}
