package fnd.runtime;

/** One event, as the Runtime API's `next` gives it. */
final class Invocation {
	String id, arn, trace, clientContext, identity, tenant;
	long deadlineMs;
	byte[] event;
}
