package fnd.runtime;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.Calendar;
import java.util.Date;
import java.util.GregorianCalendar;
import java.util.HashMap;
import java.util.Map;
import java.util.TimeZone;

/** Types that are one value in JSON. */
final class Scalars {
	private static final Map<Class<?>, Class<?>> BOXES = new HashMap<Class<?>, Class<?>>();
	private static final Decoder TEXT = new Decoder() {
		@Override
		Object read(Json json) throws Exception {
			switch (json.peek()) {
			case '"': return json.string();
			case '0': return json.number();
			case 't':
			case 'f': return String.valueOf(json.bool());
			default: return unwrap(json, String.class);
			}
		}
	};
	/** As events have it: seconds with a fraction; none is 0. */
	static final Decoder EVENT_DATE = new Decoder() {
		@Override
		Object read(Json json) throws Exception {
			double seconds = json.peek() == '0' ? Double.parseDouble(json.number()) : json.peek() == '"' ? parseOr0(json.string()) : 0;
			return seconds == 0 ? null : new Date((long) (seconds * 1000.0));
		}

		private double parseOr0(String s) {
			try {
				return Double.parseDouble(s.trim());
			} catch (NumberFormatException e) {
				return 0;
			}
		}
	};

	static {
		Class<?>[][] pairs = {{int.class, Integer.class}, {long.class, Long.class}, {short.class, Short.class}, {byte.class, Byte.class}, {float.class, Float.class},
			{double.class, Double.class}, {boolean.class, Boolean.class}, {char.class, Character.class}};
		for (Class<?>[] p : pairs)
			BOXES.put(p[0], p[1]);
	}

	private static final int MAGNITUDE_MAX = 10000; // digits before the point

	private Scalars() {
	}

	/** null: it is none of these. */
	static Decoder decoder(Class<?> c) {
		if (c == String.class || c == CharSequence.class)
			return TEXT;
		Class<?> box = c.isPrimitive() && c != void.class ? BOXES.get(c) : c;
		if (box == void.class || box == Void.class)
			return new Decoder() {
				@Override
				Object read(Json json) throws Exception {
					json.skip();
					return null;
				}
			};
		if (Number.class.isAssignableFrom(box) && numeric(box))
			return new OfNumber(box, c.isPrimitive());
		if (box == Boolean.class || box == Character.class || box == java.util.concurrent.atomic.AtomicBoolean.class)
			return new OfWord(box, c.isPrimitive());
		if (c == byte[].class || c == ByteBuffer.class || c == char[].class)
			return new OfBytes(c);
		if (c == Date.class || Calendar.class.isAssignableFrom(c) && c.isAssignableFrom(GregorianCalendar.class) || c.getName().startsWith("java.time.") && !c.isEnum() || isSql(c) || isJoda(c))
			return new OfTime(c);
		return c.isEnum() || isNamed(c) ? new OfText(c) : null;
	}

	static boolean isJoda(Class<?> c) {
		return c.getName().equals("org.joda.time.DateTime");
	}

	/** Of a module that need not be there. */
	static boolean isSql(Class<?> c) {
		return c.getName().equals("java.sql.Timestamp") || c.getName().equals("java.sql.Date") || c.getName().equals("java.sql.Time");
	}

	private static boolean numeric(Class<?> c) {
		return c == Number.class || c.getName().startsWith("java.lang.") || c.getName().startsWith("java.math.") || c.getName().startsWith("java.util.concurrent.atomic.Atomic");
	}

	/** Has it a text for its value? */
	static boolean isNamed(Class<?> c) {
		return c == java.util.UUID.class || c == java.net.URI.class || c == java.net.URL.class || c == java.util.Locale.class || c == java.util.Currency.class
			|| TimeZone.class.isAssignableFrom(c) || c == java.util.regex.Pattern.class || c == java.io.File.class || java.nio.charset.Charset.class.isAssignableFrom(c)
			|| c == StringBuilder.class || c == StringBuffer.class || c == Class.class || java.nio.file.Path.class.isAssignableFrom(c)
			|| java.net.InetAddress.class.isAssignableFrom(c);
	}

	@SuppressWarnings({"unchecked", "rawtypes"})
	static Object fromText(String s, Class<?> c, Json json) throws Exception {
		Class<?> box = c.isPrimitive() ? BOXES.get(c) : c;
		if (c.isEnum()) {
			Object[] all = c.getEnumConstants();
			for (Object e : all)
				if (((Enum) e).name().equals(s))
					return e;
			String t = s.trim();
			if (!t.isEmpty() && t.length() < 10 && t.matches("[0-9]+"))
				return Integer.parseInt(t) < all.length ? all[Integer.parseInt(t)] : null;
			return t.equals(s) ? null : fromText(t, c, json);
		}
		if (Number.class.isAssignableFrom(box))
			return convert(s.trim(), box, json);
		if (box == Boolean.class)
			return word(s.trim(), json);
		if (box == Character.class)
			return s.charAt(0);
		if (c == java.util.UUID.class) return java.util.UUID.fromString(s);
		if (c == java.net.URI.class) return java.net.URI.create(s);
		if (c == java.net.URL.class) return new java.net.URL(s);
		if (c == java.util.Locale.class) return java.util.Locale.forLanguageTag(s.replace('_', '-'));
		if (c == java.util.Currency.class) return java.util.Currency.getInstance(s);
		if (c == TimeZone.class) return TimeZone.getTimeZone(s);
		if (c == java.util.regex.Pattern.class) return java.util.regex.Pattern.compile(s);
		if (c == java.io.File.class) return new java.io.File(s);
		if (c == java.nio.file.Path.class) return s.startsWith("file:") ? java.nio.file.Paths.get(java.net.URI.create(s)) : java.nio.file.Paths.get(s);
		if (c == java.nio.charset.Charset.class) return java.nio.charset.Charset.forName(s);
		if (c == java.net.InetAddress.class) return java.net.InetAddress.getByName(s);
		if (c == StringBuilder.class) return new StringBuilder(s);
		if (c == StringBuffer.class) return new StringBuffer(s);
		if (c == Class.class) return Class.forName(s, false, Thread.currentThread().getContextClassLoader());
		return Times.fromText(s, c);
	}

	private static Object word(String s, Json json) throws Exception {
		if (s.isEmpty() || s.equals("null"))
			return null;
		if (s.equalsIgnoreCase("true") || s.equalsIgnoreCase("false"))
			return s.equalsIgnoreCase("true");
		throw json.error("\"" + s + "\" is not true or false");
	}

	static Object convert(String text, Class<?> box, Json json) throws Exception {
		try {
			if (box == Number.class)
				return Decoder.number(text);
			if (box == Double.class)
				return Double.valueOf(text);
			if (box == Float.class)
				return Float.valueOf(text);
			BigDecimal d = new BigDecimal(text);
			if (box == BigDecimal.class)
				return d;
			if ((long) d.precision() - d.scale() > MAGNITUDE_MAX) // 1e999999999 would fill the memory
				throw json.error("Numeric value (" + text + ") out of range of " + box.getSimpleName());
			BigInteger i = d.toBigInteger();
			if (box == BigInteger.class)
				return i;
			boolean wide = box == Long.class || box == java.util.concurrent.atomic.AtomicLong.class;
			int bits = wide ? 63 : box == Short.class ? 15 : box == Byte.class ? 8 : 31; // of a byte Jackson takes -128 to 255
			if (i.bitLength() > bits)
				throw json.error("Numeric value (" + text + ") out of range of " + box.getSimpleName());
			if (box == Long.class) return i.longValue();
			if (box == Integer.class) return i.intValue();
			if (box == Short.class) return i.shortValue();
			if (box == Byte.class) return i.byteValue();
			if (box == java.util.concurrent.atomic.AtomicLong.class) return new java.util.concurrent.atomic.AtomicLong(i.longValue());
			return new java.util.concurrent.atomic.AtomicInteger(i.intValue());
		} catch (ArithmeticException | NumberFormatException e) {
			throw json.error("\"" + text + "\" is not a valid " + box.getSimpleName() + " value");
		}
	}

	private static boolean isFraction(Class<?> box) {
		return box == Double.class || box == Float.class || box == BigDecimal.class || box == Number.class;
	}

	private static final class OfNumber extends Decoder {
		private final Class<?> box;
		private final boolean primitive;

		OfNumber(Class<?> box, boolean primitive) {
			this.box = box;
			this.primitive = primitive;
		}

		@Override
		Object missing() {
			if (!primitive)
				return null;
			try {
				return convert("0", box, null);
			} catch (Exception e) {
				throw new IllegalStateException(e);
			}
		}

		@Override
		Object read(Json json) throws Exception {
			switch (json.peek()) {
			case '0': {
				String text = json.number();
				if (box == Integer.class && text.length() < 10 && text.indexOf('.') < 0 && text.indexOf('e') < 0 && text.indexOf('E') < 0)
					return Integer.valueOf(text);
				return convert(text, box, json);
			}
			case '"': {
				String text = json.string().trim();
				if (text.indexOf('.') >= 0 && !isFraction(box))
					throw json.error("\"" + text + "\" is not a valid " + box.getSimpleName() + " value");
				return text.isEmpty() || text.equals("null") ? missing() : convert(text, box, json);
			}
			case 't':
			case 'f':
				throw json.error("cannot be a " + box.getName());
			default:
				return unwrap(json, box);
			}
		}
	}

	private static final class OfWord extends Decoder {
		private final Class<?> box;
		private final boolean primitive;

		OfWord(Class<?> box, boolean primitive) {
			this.box = box;
			this.primitive = primitive;
		}

		@Override
		Object missing() {
			return !primitive ? null : box == Boolean.class ? (Object) Boolean.FALSE : (Object) Character.valueOf('\0');
		}

		@Override
		Object read(Json json) throws Exception {
			int c = json.peek();
			if (c == '[')
				return unwrap(json, box);
			if (box == Character.class) {
				if (c == '0')
					return (char) ((Integer) convert(json.number(), Integer.class, json)).intValue();
				String s = json.string();
				if (s.length() > 1)
					throw json.error("one character expected");
				return s.isEmpty() ? missing() : (Object) s.charAt(0);
			}
			Object b = c == '0' ? (Object) (Double.parseDouble(json.number()) != 0) : c == '"' ? word(json.string().trim(), json) : (Object) json.bool();
			if (b == null)
				return missing();
			return box == Boolean.class ? b : new java.util.concurrent.atomic.AtomicBoolean((Boolean) b);
		}
	}

	private static final class OfBytes extends Decoder {
		private final Class<?> type;

		OfBytes(Class<?> type) {
			this.type = type;
		}

		/** What is no Base64 is an error, not some bytes. */
		private static byte[] decoded(Json json) throws Exception {
			String text = json.string().replaceAll("[ \\t\\r\\n]", "");
			try {
				if (text.length() % 4 == 0)
					return Base64.getDecoder().decode(text);
			} catch (IllegalArgumentException e) {
				// a character that is none of its alphabet
			}
			throw json.error("no Base64");
		}

		@Override
		Object read(Json json) throws Exception {
			if (type == char[].class && json.peek() == '"')
				return json.string().toCharArray();
			if (json.peek() == '[') {
				int[] list = (int[]) Decoder.of(int[].class).read(json);
				char[] chars = new char[list.length];
				byte[] bytes = new byte[list.length];
				for (int i = 0; i < list.length; i++) {
					chars[i] = (char) list[i];
					bytes[i] = (byte) list[i];
				}
				return type == char[].class ? chars : type == byte[].class ? bytes : (Object) ByteBuffer.wrap(bytes);
			}
			byte[] bytes = decoded(json);
			return type == byte[].class ? bytes : (Object) ByteBuffer.wrap(bytes);
		}
	}

	private static final class OfText extends Decoder {
		private final Class<?> type;

		OfText(Class<?> type) {
			this.type = type;
		}

		@Override
		Object read(Json json) throws Exception {
			if (json.peek() == '[')
				return unwrap(json, type);
			if (type.isEnum() && json.peek() == '0') {
				int i = (Integer) convert(json.number(), Integer.class, json);
				Object[] all = type.getEnumConstants();
				return i >= 0 && i < all.length ? all[i] : null;
			}
			String s = json.string();
			if (s.isEmpty() && (type.isEnum() || type != java.net.URI.class && type != StringBuilder.class))
				return null;
			return fromText(s, type, json);
		}
	}

	private static final class OfTime extends Decoder {
		private final Class<?> type;

		OfTime(Class<?> type) {
			this.type = type;
		}

		private static BigDecimal decimal(Json json) throws Exception {
			try {
				BigDecimal n = new BigDecimal(json.number());
				if ((long) n.precision() - n.scale() <= 30)
					return n;
			} catch (NumberFormatException e) {
				// NaN
			}
			throw json.error("no such time");
		}

		@Override
		Object read(Json json) throws Exception {
			switch (json.peek()) {
			case '"': {
				String s = json.string().trim();
				return s.isEmpty() ? null : Times.fromText(s, type);
			}
			case '0':
				return Times.fromNumber(decimal(json), type);
			case '[': {
				Object list = Decoder.ANY.read(json);
				return Times.fromList((java.util.List<?>) list, type);
			}
			default:
				throw json.error("cannot be a " + type.getName());
			}
		}
	}
}
