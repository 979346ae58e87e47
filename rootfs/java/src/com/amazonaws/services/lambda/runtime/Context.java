package com.amazonaws.services.lambda.runtime;

/** What a handler is told of its invocation: AWS Lambda Developer Guide, "java-context". These interfaces are those of aws-lambda-java-core 1.4. */
public interface Context {
	String getAwsRequestId();

	String getLogGroupName();

	String getLogStreamName();

	String getFunctionName();

	String getFunctionVersion();

	String getInvokedFunctionArn();

	CognitoIdentity getIdentity();

	ClientContext getClientContext();

	int getRemainingTimeInMillis();

	int getMemoryLimitInMB();

	LambdaLogger getLogger();

	default String getTenantId() {
		return null;
	}

	default String getXrayTraceId() {
		return null;
	}
}
