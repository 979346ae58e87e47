package fnd.runtime;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;

/**
 * An error as the caller and the log are told of it: {"errorMessage", "errorType", "stackTrace": ["package.Class.method(Class.java:1)"], "cause": the same}.
 * Contract: AWS Lambda Developer Guide, "java-exceptions". Frames of the runtime are left out.
 */
final class Fault extends RuntimeException {
	private static final long serialVersionUID = 1L;
	private static final String OWN = Fault.class.getName().substring(0, Fault.class.getName().lastIndexOf('.') + 1);
	private static final int CAUSES_MAX = 20;

	final String message, type;
	final transient Throwable thrown; // null: nothing was
	final boolean fatal;

	/** What the function is called with cannot be: nothing of it was thrown. fatal: the initialisation has failed, not an invocation. */
	Fault(String message, Throwable thrown, boolean fatal) {
		super(message);
		this.message = message;
		this.thrown = thrown;
		this.type = thrown == null ? null : thrown.getClass().getName();
		this.fatal = fatal;
	}

	static String messageOf(Throwable t) {
		try {
			String m = t.getLocalizedMessage();
			return m == null ? t.getClass().getName() : m;
		} catch (Throwable e) { // a message that fails must not take the runtime with it
			return t.getClass().getName();
		}
	}

	private static Throwable causeOf(Throwable t) {
		try {
			return t.getCause();
		} catch (Throwable e) {
			return null;
		}
	}

	/** Without the runtime's own frames, and those below them. */
	static void trim(Throwable t) {
		trim(t, Collections.newSetFromMap(new IdentityHashMap<Throwable, Boolean>()));
	}

	private static void trim(Throwable t, Set<Throwable> seen) {
		if (t == null || !seen.add(t))
			return;
		StackTraceElement[] frames = framesOf(t);
		int n = 0;
		while (n < frames.length && !frames[n].getClassName().startsWith(OWN))
			n++;
		if (n < frames.length) {
			while (n > 0 && isReflection(frames[n - 1].getClassName()))
				n--;
			t.setStackTrace(Arrays.copyOf(frames, n));
		}
		trim(causeOf(t), seen);
		for (Throwable s : t.getSuppressed())
			trim(s, seen);
	}

	private static StackTraceElement[] framesOf(Throwable t) {
		try {
			StackTraceElement[] frames = t.getStackTrace();
			return frames == null ? new StackTraceElement[0] : frames;
		} catch (Throwable e) {
			return new StackTraceElement[0];
		}
	}

	/** How the runtime calls methods, not the function. */
	private static boolean isReflection(String c) {
		return c.startsWith("java.lang.reflect.") || c.startsWith("jdk.internal.reflect.") || c.startsWith("sun.reflect.") || c.startsWith("java.lang.invoke.");
	}

	/** The document of what the function threw. */
	static byte[] describe(Throwable t) {
		JsonOut out = new JsonOut(1024);
		describe(t, out, new ArrayList<Throwable>());
		return Arrays.copyOf(out.data(), out.length());
	}

	/** above: what t is the cause of. */
	private static void describe(Throwable t, JsonOut out, List<Throwable> above) {
		if (t instanceof Fault) { // as in AWS's runtime without frames
			Fault f = (Fault) t;
			out.raw("{\"errorMessage\":").string(f.message);
			if (f.type != null)
				out.raw(",\"errorType\":").string(f.type);
			out.raw('}');
			return;
		}
		out.raw("{\"errorMessage\":").string(messageOf(t)).raw(",\"errorType\":").string(t.getClass().getName()).raw(",\"stackTrace\":[");
		StackTraceElement[] frames = framesOf(t);
		for (int i = 0; i < frames.length; i++)
			out.raw(i == 0 ? "" : ",").string(frames[i].toString());
		out.raw(']');
		Throwable cause = causeOf(t);
		boolean more = cause != null && cause != t && above.size() < CAUSES_MAX;
		for (Throwable a : above)
			more &= a != cause;
		if (more) {
			above.add(t);
			out.raw(",\"cause\":");
			describe(cause, out, above);
		}
		out.raw('}');
	}

	private static String trace(Throwable t) {
		try {
			StringWriter s = new StringWriter();
			t.printStackTrace(new PrintWriter(s));
			return s.toString();
		} catch (Throwable e) { // its text, that of one of its causes, or what it does instead
			StringBuilder s = new StringBuilder(t.getClass().getName()).append('\n');
			for (StackTraceElement f : framesOf(t))
				s.append("\tat ").append(f).append('\n');
			return s.toString();
		}
	}

	/** What the log has of it. */
	static String text(Throwable t) {
		if (!(t instanceof Fault))
			return messageOf(t) + ": " + t.getClass().getName() + "\n" + trace(t) + "\n";
		Fault f = (Fault) t;
		return f.thrown == null ? f.message + "\n" : f.message + ": " + f.type + "\n" + trace(f.thrown) + "\n";
	}
}
