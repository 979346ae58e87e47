package com.amazonaws.services.lambda.crac;

/** What went wrong in resources: each is suppressed in it. */
public class CheckpointException extends Exception {
	private static final long serialVersionUID = 1L;

	public CheckpointException() {
	}

	public CheckpointException(String message) {
		super(message);
	}
}
