package fnd.runtime;

/** The request's id for patterns of log4j, for functions that have AWS's appender: %X{AWSRequestId}. */
final class Log4j {
	private Log4j() {
	}

	static void put(String id) {
		ClassLoader loader = Thread.currentThread().getContextClassLoader();
		boolean put = put(loader, "org.apache.log4j.MDC", Object.class, id) | put(loader, "org.apache.logging.log4j.ThreadContext", String.class, id);
		if (!put)
			System.err.println("Customer using log4j appender but unable to load either org.apache.log4j.MDC or org.apache.logging.log4j.ThreadContext. Customer cannot see RequestId in log4j log lines.");
	}

	private static boolean put(ClassLoader loader, String name, Class<?> value, String id) {
		try {
			Class.forName(name, true, loader).getMethod("put", String.class, value).invoke(null, "AWSRequestId", id);
			return true;
		} catch (ReflectiveOperationException e) {
			return false;
		} catch (LinkageError e) {
			return false;
		}
	}
}
