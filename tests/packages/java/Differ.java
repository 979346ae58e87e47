package app;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.serialization.PojoSerializer;
import com.amazonaws.services.lambda.runtime.serialization.events.LambdaEventSerializers;
import com.amazonaws.services.lambda.runtime.serialization.factories.JacksonFactory;
import java.io.ByteArrayOutputStream;
import java.lang.reflect.*;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.*;
import java.util.*;

/** This runtime's way from JSON and back beside that of AWS's own library: for every class of aws-lambda-java-events, filled with something, and for classes of all kinds. */
public class Differ implements RequestHandler<Map<String, Object>, Map<String, Object>> {
	// --- both ways
	@SuppressWarnings({"unchecked", "rawtypes"})
	static PojoSerializer<Object> aws(Type t) {
		if (t instanceof Class && LambdaEventSerializers.isLambdaSupportedEvent(((Class<?>) t).getName()))
			return (PojoSerializer) LambdaEventSerializers.serializerFor((Class) t, Differ.class.getClassLoader());
		return JacksonFactory.getInstance().getSerializer(t);
	}

	static String awsWrite(Object o, Type t) {
		ByteArrayOutputStream out = new ByteArrayOutputStream();
		aws(t).toJson(o, out);
		return new String(out.toByteArray(), StandardCharsets.UTF_8);
	}

	static Object call(String cls, String name, Class<?>[] types, Object... args) throws Exception {
		Method m = Class.forName("fnd.runtime." + cls).getDeclaredMethod(name, types);
		m.setAccessible(true);
		try {
			return m.invoke(null, args);
		} catch (InvocationTargetException e) {
			if (e.getCause() instanceof Exception)
				throw (Exception) e.getCause();
			throw new Exception(e.getCause());
		}
	}

	static String ourWrite(Object o, Type t) throws Exception {
		Class<?> c = Class.forName("fnd.runtime.JsonOut");
		Constructor<?> n = c.getDeclaredConstructor(int.class);
		n.setAccessible(true);
		Object out = n.newInstance(1024);
		call("Encoder", "encode", new Class<?>[] {Object.class, Type.class, c}, o, t, out);
		return out.toString();
	}

	static Object ourRead(String json, Type t) throws Exception {
		byte[] b = json.getBytes(StandardCharsets.UTF_8);
		return call("Decoder", "decode", new Class<?>[] {byte[].class, int.class, Type.class}, b, b.length, t);
	}

	// --- a filled object
	static int counter;

	static Object fill(Type t, int depth) throws Exception {
		if (t instanceof ParameterizedType) {
			ParameterizedType p = (ParameterizedType) t;
			Class<?> raw = (Class<?>) p.getRawType();
			Type[] a = p.getActualTypeArguments();
			if (Map.class.isAssignableFrom(raw)) {
				Map<Object, Object> m = new LinkedHashMap<>();
				Object v = fill(a[1], depth + 1);
				if (v != null)
					m.put("k" + ++counter, v);
				return m;
			}
			if (Collection.class.isAssignableFrom(raw)) {
				Collection<Object> l = Set.class.isAssignableFrom(raw) ? new HashSet<>() : new ArrayList<>();
				Object v = fill(a[0], depth + 1);
				if (v != null)
					l.add(v);
				return l;
			}
			return fill(raw, depth);
		}
		if (t instanceof WildcardType)
			return fill(((WildcardType) t).getUpperBounds()[0], depth);
		if (!(t instanceof Class))
			return null;
		Class<?> c = (Class<?>) t;
		if (c == String.class || c == Object.class || c == CharSequence.class) return "s" + ++counter;
		if (c == int.class || c == Integer.class) return ++counter;
		if (c == long.class || c == Long.class) return (long) ++counter;
		if (c == double.class || c == Double.class) return ++counter + 0.5;
		if (c == boolean.class || c == Boolean.class) return true;
		if (c == Date.class) return new Date(1700000000000L + 1000 * ++counter + 250);
		if (c == byte.class || c == Byte.class) return (byte) ++counter;
		if (c == ByteBuffer.class) return ByteBuffer.wrap(new byte[] {1, 2, (byte) ++counter});
		if (c.isEnum()) return c.getEnumConstants()[0];
		if (c.getName().equals("org.joda.time.DateTime")) return c.getMethod("parse", String.class).invoke(null, "2023-11-14T22:13:20.123Z");
		if (Map.class == c) return new HashMap<>(Collections.singletonMap("k", "v" + ++counter));
		if (List.class == c) return new ArrayList<>(Arrays.asList("v" + ++counter));
		if (c.isArray()) {
			Object array = Array.newInstance(c.getComponentType(), 1);
			Array.set(array, 0, fill(c.getComponentType(), depth + 1));
			return array;
		}
		if (depth > 5 || c.isInterface() || Modifier.isAbstract(c.getModifiers()) || !c.getName().startsWith("com.amazonaws.") && !c.getName().startsWith("app."))
			return null;
		Constructor<?> n;
		try {
			n = c.getDeclaredConstructor();
		} catch (NoSuchMethodException e) {
			return null;
		}
		n.setAccessible(true);
		Object o = n.newInstance();
		Method[] all = c.getMethods();
		Arrays.sort(all, Comparator.comparing(Method::toString));
		for (Method m : all)
			if (m.getName().startsWith("set") && m.getParameterCount() == 1 && !m.isBridge() && !Modifier.isStatic(m.getModifiers())) {
				Object v = fill(m.getGenericParameterTypes()[0], depth + 1);
				if (v != null)
					m.invoke(o, v);
			}
		return o;
	}

	// --- differences
	static String outcome(java.util.concurrent.Callable<String> c) {
		try {
			return c.call();
		} catch (Throwable t) {
			Throwable r = t;
			while (r.getCause() != null)
				r = r.getCause();
			return "FAILS " + (System.getenv("DIFFER_WHY") != null ? r.toString().split("\n")[0] : "");
		}
	}

	static Object tree(String json) {
		return json.startsWith("FAILS") ? "FAILS" : JacksonFactory.getInstance().getSerializer(Object.class).fromJson(json);
	}

	static void compare(String what, String aws, String ours, Map<String, Object> differences) {
		if (!Objects.equals(tree(aws), tree(ours)))
			differences.put(what, Arrays.asList(aws, ours));
	}

	static void written(String what, Object o, Type t, Map<String, Object> d) {
		compare(what + " written", outcome(() -> awsWrite(o, t)), outcome(() -> ourWrite(o, t)), d);
	}

	static void read(String what, String json, Type t, Map<String, Object> d) {
		compare(what + " read from " + json, outcome(() -> awsWrite(aws(t).fromJson(json), t)), outcome(() -> awsWrite(ourRead(json, t), t)), d);
	}

	public Map<String, Object> handleRequest(Map<String, Object> event, Context context) {
		Map<String, Object> differences = new TreeMap<>();
		int n = 0;
		for (Object[] k : Kinds.values()) {
			n++;
			written("value " + k[0], k[1], (Type) k[2], differences);
		}
		for (Object[] k : Kinds.texts()) {
			n++;
			read((String) k[0], (String) k[0], (Type) k[1], differences);
		}
		List<String> classes;
		try {
			classes = java.nio.file.Files.readAllLines(java.nio.file.Paths.get("classes.txt"));
		} catch (java.io.IOException e) {
			throw new java.io.UncheckedIOException(e);
		}
		for (Object name : classes) {
			String what = ((String) name).substring(((String) name).lastIndexOf('.') + 1);
			try {
				Class<?> c = Class.forName((String) name);
				Object o = fill(c, 0);
				if (o == null)
					continue;
				n++;
				written(what, o, c, differences);
				String json = outcome(() -> awsWrite(o, c));
				if (!json.startsWith("FAILS"))
					read(what, json, c, differences);
			} catch (Throwable t) {
				differences.put(what, t.toString() + Arrays.toString(t.getStackTrace()).substring(0, 300));
			}
		}
		differences.put("compared", n);
		return differences;
	}
}
