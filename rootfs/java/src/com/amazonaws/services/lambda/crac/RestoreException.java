package com.amazonaws.services.lambda.crac;

/** What went wrong in resources: each is suppressed in it. */
public class RestoreException extends Exception {
	private static final long serialVersionUID = 1L;

	public RestoreException() {
	}

	public RestoreException(String message) {
		super(message);
	}
}
