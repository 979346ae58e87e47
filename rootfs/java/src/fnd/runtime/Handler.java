package fnd.runtime;

import com.amazonaws.services.lambda.runtime.Context;

/** What an event is given to. */
interface Handler {
	/** Appends the result, which the function's own serializer may write as a stream. What the function throws is thrown as it is. */
	void call(byte[] event, Context context, Result result) throws Throwable;
}
