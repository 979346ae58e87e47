package com.amazonaws.services.lambda.runtime.logging;

/** From the least important on; UNDEFINED is a message's that was logged without. */
public enum LogLevel {
	UNDEFINED, TRACE, DEBUG, INFO, WARN, ERROR, FATAL;

	public static LogLevel fromString(String name) {
		for (LogLevel l : values())
			if (l.name().equalsIgnoreCase(name))
				return l;
		throw new IllegalArgumentException("Invalid log level: '" + name + "' expected one of [TRACE, DEBUG, INFO, WARN, ERROR, FATAL]");
	}
}
