package fnd.runtime;

import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;

/**
 * The function's logger: as text, a message as it is or with its level before it; as JSON, a record. Without a level nothing is held back.
 * Contract: AWS Lambda Developer Guide, "java-logging"; field names and forms as aws-lambda-java-runtime-interface-client 2.10 writes them.
 */
final class Logger implements LambdaLogger {
	final boolean json;
	private final LogLevel lowest;
	volatile Invocation current;

	Logger(String format, String level) {
		json = "JSON".equalsIgnoreCase(format);
		LogLevel l = LogLevel.UNDEFINED;
		if (level != null)
			for (LogLevel known : LogLevel.values())
				if (known.name().equalsIgnoreCase(level))
					l = known;
		lowest = l;
	}

	@Override
	public void log(String message) {
		log(message, LogLevel.UNDEFINED);
	}

	@Override
	public void log(byte[] message) {
		log(message, LogLevel.UNDEFINED);
	}

	private boolean isHeldBack(LogLevel level) {
		return level != LogLevel.UNDEFINED && level.ordinal() < lowest.ordinal();
	}

	@Override
	public void log(String message, LogLevel level) {
		if (isHeldBack(level))
			return;
		String text = json ? record(message, level) : level == LogLevel.UNDEFINED ? String.valueOf(message) : "[" + level + "] " + message;
		Output.event(text.getBytes(StandardCharsets.UTF_8));
	}

	@Override
	public void log(byte[] message, LogLevel level) {
		if (!isHeldBack(level))
			Output.event(message);
	}

	private String record(String message, LogLevel level) {
		JsonOut out = new JsonOut(256);
		out.raw("{\"timestamp\":\"").raw(now()).raw("\",\"message\":");
		if (message == null)
			out.raw("null");
		else
			out.string(message);
		out.raw(",\"level\":\"").raw(level.name()).raw('"');
		Invocation i = current;
		if (i != null) {
			out.raw(",\"AWSRequestId\":").string(i.id);
			if (i.tenant != null)
				out.raw(",\"tenantId\":").string(i.tenant);
		}
		return out.raw('}').toString();
	}

	private static void digits(StringBuilder s, int n, int width) {
		String text = String.valueOf(n);
		for (int i = text.length(); i < width; i++)
			s.append('0');
		s.append(text);
	}

	/** A formatter would take 10 ms to load. */
	static String now() {
		long ms = System.currentTimeMillis();
		ZonedDateTime t = Instant.ofEpochMilli(ms).atZone(ZoneOffset.UTC);
		StringBuilder s = new StringBuilder(24);
		digits(s, t.getYear(), 4);
		digits(s.append('-'), t.getMonthValue(), 2);
		digits(s.append('-'), t.getDayOfMonth(), 2);
		digits(s.append('T'), t.getHour(), 2);
		digits(s.append(':'), t.getMinute(), 2);
		digits(s.append(':'), t.getSecond(), 2);
		digits(s.append('.'), (int) (ms % 1000), 3);
		return s.append('Z').toString();
	}
}
