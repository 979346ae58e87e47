package fnd.runtime;

/** One event, as the Runtime API's `next` gives it. */
final class Invocation {
	String id, arn, trace, clientContext, identity, tenant;
	boolean wantsLoaded; // what has been loaded when it is over
	long deadlineMs;
	byte[] event;
}
