package fnd.runtime;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/**
 * S3Event, whose parts are made by constructors alone, so that no property can be set: each constructor's arguments by their names in the event. Facts of
 * aws-lambda-java-serialization ("S3EventSerializer"): what is missing is an empty text, and a part that is missing is one without content.
 */
final class S3Events extends Decoder {
	private static final String V3 = "com.amazonaws.services.lambda.runtime.events.models.s3.S3EventNotification", V2 = "com.amazonaws.services.s3.event.S3EventNotification";
	/** {class of a part, its members in the order of the constructor: "name", or "name:class of a part"} */
	private static final String[][] PARTS = {
		{"S3EventNotificationRecord", "awsRegion", "eventName", "eventSource", "eventTime", "eventVersion", "requestParameters:RequestParametersEntity",
			"responseElements:ResponseElementsEntity", "s3:S3Entity", "userIdentity:UserIdentityEntity"},
		{"RequestParametersEntity", "sourceIPAddress"},
		{"ResponseElementsEntity", "x-amz-id-2", "x-amz-request-id"},
		{"S3Entity", "configurationId", "bucket:S3BucketEntity", "object:S3ObjectEntity", "s3SchemaVersion"},
		{"S3BucketEntity", "name", "ownerIdentity:UserIdentityEntity", "arn"},
		{"S3ObjectEntity", "key", "size", "eTag", "versionId", "sequencer"},
		{"UserIdentityEntity", "principalId"},
	};
	/** How a member is asked for, where "get" and its name with a capital is not how. */
	private static final String[][] GETTERS = {{"x-amz-id-2", "getxAmzId2"}, {"x-amz-request-id", "getxAmzRequestId"}, {"eTag", "geteTag"}, {"size", "getSizeAsLong"}};

	private final Class<?> type;

	S3Events(Class<?> type) {
		this.type = type;
	}

	static boolean isOne(Class<?> c) {
		return c.getName().equals(V3) || c.getName().equals(V2) || c.getName().equals("com.amazonaws.services.lambda.runtime.events.S3Event");
	}

	private static String[] part(String name) {
		for (String[] p : PARTS)
			if (p[0].equals(name))
				return p;
		throw new IllegalStateException(name);
	}

	@Override
	Object read(Json json) throws Exception {
		Object event = ANY.read(json);
		List<Object> records = new ArrayList<Object>();
		Object all = event instanceof Map ? ((Map<?, ?>) event).get("Records") : null;
		String outer = prefix(type.getClassLoader());
		if (all instanceof List)
			for (Object r : (List<?>) all)
				records.add(make(outer, "S3EventNotificationRecord", r));
		return create(type.getConstructor(List.class), records);
	}

	private static String prefix(ClassLoader loader) {
		try {
			Class.forName(V3, false, loader);
			return V3 + "$";
		} catch (ClassNotFoundException e) {
			return V2 + "$";
		}
	}

	private static Object create(Constructor<?> c, Object... arguments) throws Exception {
		try {
			return c.newInstance(arguments);
		} catch (InvocationTargetException e) {
			throw e.getCause() instanceof Exception ? (Exception) e.getCause() : e;
		}
	}

	private Object make(String outer, String name, Object from) throws Exception {
		String[] members = part(name);
		Map<?, ?> object = from instanceof Map ? (Map<?, ?>) from : Collections.emptyMap();
		Constructor<?> longest = null;
		for (Constructor<?> c : Class.forName(outer + name, true, type.getClassLoader()).getConstructors())
			if (c.getParameterTypes().length < members.length && (longest == null || longest.getParameterTypes().length < c.getParameterTypes().length
					|| longest.getParameterTypes().length == c.getParameterTypes().length && c.getParameterTypes().length > 1 && c.getParameterTypes()[1] == Long.class))
				longest = c;
		if (longest == null)
			throw new IllegalArgumentException(outer + name + " has no constructor");
		Object[] arguments = new Object[longest.getParameterTypes().length];
		for (int i = 0; i < arguments.length; i++) {
			String member = members[i + 1];
			int colon = member.indexOf(':');
			Object value = object.get(colon < 0 ? member : member.substring(0, colon));
			Class<?> wanted = longest.getParameterTypes()[i];
			if (colon >= 0)
				arguments[i] = make(outer, member.substring(colon + 1), value);
			else if (wanted == Long.class || wanted == Integer.class)
				arguments[i] = number(value, wanted);
			else
				arguments[i] = value == null ? "" : value.toString();
		}
		return create(longest, arguments);
	}

	private static Object number(Object value, Class<?> wanted) {
		long n = value instanceof Number ? ((Number) value).longValue() : 0;
		if (wanted == Long.class)
			return n;
		return (int) n;
	}

	static void write(Object event, JsonOut out) throws Exception {
		out.raw("{\"Records\":[");
		boolean first = true;
		List<?> records = (List<?>) event.getClass().getMethod("getRecords").invoke(event);
		for (Object r : records == null ? Collections.emptyList() : records) {
			out.raw(first ? "" : ",");
			first = false;
			part("S3EventNotificationRecord", r, out);
		}
		out.raw("]}");
	}

	private static void part(String name, Object of, JsonOut out) throws Exception {
		boolean first = true;
		String[] members = part(name);
		out.raw('{');
		for (int i = 1; i < members.length; i++) {
			int colon = members[i].indexOf(':');
			String member = colon < 0 ? members[i] : members[i].substring(0, colon);
			Object value = get(of, member);
			if (value == null)
				continue;
			out.raw(first ? "" : ",").string(member).raw(':');
			first = false;
			if (colon >= 0)
				part(members[i].substring(colon + 1), value, out);
			else if (value instanceof Number)
				out.raw(value.toString());
			else if (!Times.write(value, out, false))
				out.string(value.toString());
			if (member.equals("key") && get(of, "urlDecodedKey") != null)
				out.raw(",\"urlDecodedKey\":").string(get(of, "urlDecodedKey").toString());
		}
		out.raw('}');
	}

	private static Object get(Object of, String member) throws Exception {
		String name = "get" + Character.toUpperCase(member.charAt(0)) + member.substring(1);
		for (String[] g : GETTERS)
			if (g[0].equals(member))
				name = g[1];
		try {
			return of.getClass().getMethod(name).invoke(of);
		} catch (NoSuchMethodException e) {
			return null; // of an older release
		}
	}
}
