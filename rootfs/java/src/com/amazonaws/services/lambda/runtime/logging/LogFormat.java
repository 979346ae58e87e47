package com.amazonaws.services.lambda.runtime.logging;

/** Of the function's log. */
public enum LogFormat {
	JSON, TEXT;

	public static LogFormat fromString(String name) {
		for (LogFormat f : values())
			if (f.name().equalsIgnoreCase(name))
				return f;
		throw new IllegalArgumentException("Invalid log format: '" + name + "' expected one of [JSON, TEXT]");
	}
}
