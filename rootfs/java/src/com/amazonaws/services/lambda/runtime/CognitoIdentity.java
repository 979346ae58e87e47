package com.amazonaws.services.lambda.runtime;

/** Whom Cognito has authorised. */
public interface CognitoIdentity {
	String getIdentityId();

	String getIdentityPoolId();
}
