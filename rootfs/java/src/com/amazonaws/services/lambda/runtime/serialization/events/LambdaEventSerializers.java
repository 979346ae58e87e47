package com.amazonaws.services.lambda.runtime.serialization.events;

import com.amazonaws.services.lambda.runtime.serialization.PojoSerializer;
import fnd.runtime.Pojos;

/**
 * What frameworks count on Lambda's Java runtime to bring, beside the interfaces (Spring Cloud Function's adapter, whose aws-lambda-java-serialization has the scope
 * "provided"): events of the library from JSON, as a handler gets them. A function that has AWS's own in its package takes those.
 */
public class LambdaEventSerializers {
	public static boolean isLambdaSupportedEvent(String className) {
		return Pojos.isEvent(className);
	}

	/** Its classes are those of the class that is asked for, whatever loader is given. */
	public static <T> PojoSerializer<T> serializerFor(Class<T> type, ClassLoader loader) {
		return new Pojos<T>(type);
	}
}
