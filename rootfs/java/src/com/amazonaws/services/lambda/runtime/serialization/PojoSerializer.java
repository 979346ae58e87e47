package com.amazonaws.services.lambda.runtime.serialization;

import java.io.InputStream;
import java.io.OutputStream;

/** Of one class, from JSON and back. */
public interface PojoSerializer<T> {
	T fromJson(InputStream input);

	T fromJson(String input);

	void toJson(T value, OutputStream output);
}
