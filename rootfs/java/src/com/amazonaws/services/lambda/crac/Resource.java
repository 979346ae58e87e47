package com.amazonaws.services.lambda.crac;

/** What wants to know when a snapshot is taken and when one has been restored: the contract of org.crac. */
public interface Resource {
	void beforeCheckpoint(Context<? extends Resource> context) throws Exception;

	void afterRestore(Context<? extends Resource> context) throws Exception;
}
