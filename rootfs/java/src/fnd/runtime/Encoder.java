package fnd.runtime;

import java.lang.reflect.Array;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.Collection;
import java.util.Collections;
import java.util.Iterator;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Writes an object as JSON, as Jackson does with the features that AWS's client sets: what is null is left out, of beans and of maps. */
final class Encoder {
	private static final Map<Class<?>, Bean> beans = new ConcurrentHashMap<Class<?>, Bean>();
	private static final int DEPTH_MAX = 1000; // as Jackson's

	private final JsonOut out;
	private int depth;

	private Encoder(JsonOut out) {
		this.out = out;
	}

	/** What a handler returns: of a declared class of beans only what that class has, whatever the object is besides. */
	static void encode(Object value, Type declared, JsonOut out) throws Exception {
		Encoder e = new Encoder(out);
		Class<?> c = Types.raw(declared);
		if (value == null)
			out.raw("null");
		else if (c != value.getClass() && c.isInstance(value) && !e.simple(value, false) && e.isBean(value) && c != Object.class && !Modifier.isFinal(c.getModifiers()))
			e.bean(value, c);
		else if (out.length() == 0)
			e.write(value, false);
	}

	private boolean isBean(Object v) {
		return !isListed(v) && !(v instanceof Map) && !(v instanceof Map.Entry) && !(v instanceof Iterator) && !v.getClass().isArray() && !S3Events.isOne(v.getClass());
	}

	private static Bean beanOf(Class<?> c) {
		Bean bean = beans.get(c);
		if (bean == null)
			beans.put(c, bean = new Bean(c));
		return bean;
	}

	/** What can be gone through is an object all the same if it has properties and is no collection. */
	private static boolean isListed(Object v) {
		return v instanceof Iterable && (v instanceof Collection || beanOf(v.getClass()).written.isEmpty());
	}

	/** seconds: dates are in seconds, as in events. */
	private void write(Object v, boolean seconds) throws Exception {
		if (v == null) {
			out.raw("null");
			return;
		}
		if (simple(v, seconds))
			return;
		if (++depth > DEPTH_MAX)
			throw new IllegalStateException("Document nesting depth (" + depth + ") exceeds the maximum allowed (" + DEPTH_MAX + "): a circle?");
		if (v instanceof Map)
			map(((Map<?, ?>) v).entrySet(), seconds);
		else if (v instanceof Map.Entry)
			map(Collections.singleton((Map.Entry<?, ?>) v), seconds);
		else if (isListed(v))
			list(((Iterable<?>) v).iterator(), seconds);
		else if (v instanceof Iterator)
			list((Iterator<?>) v, seconds);
		else if (v.getClass().isArray())
			array(v, seconds);
		else if (S3Events.isOne(v.getClass()))
			S3Events.write(v, out);
		else
			bean(v, v.getClass());
		depth--;
	}

	/** One value? Then it has been written. */
	private boolean simple(Object v, boolean seconds) throws Exception {
		if (v instanceof CharSequence || v instanceof Character) {
			out.string(v.toString());
		} else if (v instanceof Number) {
			number((Number) v);
		} else if (v instanceof Boolean || v instanceof java.util.concurrent.atomic.AtomicBoolean) {
			out.raw(v.toString());
		} else if (v instanceof Enum) {
			out.string(((Enum<?>) v).name());
		} else if (v instanceof byte[]) {
			out.string(Base64.getEncoder().encodeToString((byte[]) v));
		} else if (v instanceof char[]) {
			out.string(new String((char[]) v));
		} else if (v instanceof ByteBuffer) {
			ByteBuffer copy = ((ByteBuffer) v).slice();
			byte[] bytes = new byte[copy.remaining()];
			copy.get(bytes);
			out.string(Base64.getEncoder().encodeToString(bytes));
		} else if (v instanceof java.util.concurrent.atomic.AtomicReference) {
			write(((java.util.concurrent.atomic.AtomicReference<?>) v).get(), seconds);
		} else if (v.getClass().getName().startsWith("java.util.Optional")) {
			optional(v, seconds);
		} else if (v instanceof java.util.stream.BaseStream) {
			list(((java.util.stream.BaseStream<?, ?>) v).iterator(), seconds);
		} else if (v instanceof Class) {
			out.string(((Class<?>) v).getName());
		} else if (v instanceof java.util.TimeZone) {
			out.string(((java.util.TimeZone) v).getID());
		} else if (v instanceof java.io.File) {
			out.string(((java.io.File) v).getAbsolutePath());
		} else if (v instanceof java.nio.file.Path) {
			out.string(((java.nio.file.Path) v).toUri().toString());
		} else if (v instanceof java.net.InetAddress) {
			out.string(((java.net.InetAddress) v).getHostAddress());
		} else if (Scalars.isNamed(v.getClass())) {
			out.string(v.toString());
		} else {
			return Times.write(v, out, seconds);
		}
		return true;
	}

	private void number(Number n) {
		if (n instanceof Double && (((Double) n).isNaN() || ((Double) n).isInfinite()) || n instanceof Float && (((Float) n).isNaN() || ((Float) n).isInfinite()))
			out.string(n.toString());
		else
			out.raw(n.toString());
	}

	/** Optional, and those of primitive types. */
	private void optional(Object v, boolean seconds) throws Exception {
		String name = v.getClass().getSimpleName();
		if (!(Boolean) v.getClass().getMethod("isPresent").invoke(v))
			out.raw("null");
		else
			write(v.getClass().getMethod(name.equals("Optional") ? "get" : "getAs" + name.substring("Optional".length())).invoke(v), seconds);
	}

	private void list(Iterator<?> all, boolean seconds) throws Exception {
		out.raw('[');
		for (boolean first = true; all.hasNext(); first = false) {
			if (!first)
				out.raw(',');
			write(all.next(), seconds);
		}
		out.raw(']');
	}

	private void array(Object v, boolean seconds) throws Exception {
		int n = Array.getLength(v);
		out.raw('[');
		for (int i = 0; i < n; i++) {
			if (i > 0)
				out.raw(',');
			write(Array.get(v, i), seconds);
		}
		out.raw(']');
	}

	private void map(Collection<? extends Map.Entry<?, ?>> all, boolean seconds) throws Exception {
		out.raw('{');
		boolean first = true;
		for (Map.Entry<?, ?> e : all) {
			if (e.getValue() == null)
				continue;
			if (e.getKey() == null)
				throw new IllegalArgumentException("Null key for a Map not allowed in JSON (use a converting NullKeySerializer?)");
			if (!first)
				out.raw(',');
			first = false;
			Object k = e.getKey();
			out.string(k instanceof Enum ? ((Enum<?>) k).name() : k instanceof Class ? ((Class<?>) k).getName() : k instanceof java.util.Date ? Times.key((java.util.Date) k) : k.toString()).raw(':');
			write(e.getValue(), seconds);
		}
		out.raw('}');
	}

	private void bean(Object v, Class<?> as) throws Exception {
		Bean bean = beanOf(as);
		boolean seconds = EventNames.isEvent(as), first = true;
		out.raw('{');
		for (Bean.Property p : bean.written) {
			Object value;
			try {
				value = p.get(v);
			} catch (InvocationTargetException e) {
				throw new IllegalStateException(e.getCause() + " (through reference chain: " + as.getName() + "[\"" + p.name + "\"])", e.getCause());
			}
			if (value == null)
				continue;
			if (value == v && !Bean.isContainer(as))
				throw new IllegalArgumentException("Direct self-reference leading to cycle (through reference chain: " + as.getName() + "[\"" + p.name + "\"])");
			if (!first)
				out.raw(',');
			first = false;
			out.string(p.name).raw(':');
			write(value, seconds);
		}
		out.raw('}');
	}

}
