package fnd.runtime;

import java.lang.reflect.InvocationTargetException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.DateTimeException;
import java.time.DayOfWeek;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.Month;
import java.time.MonthDay;
import java.time.OffsetDateTime;
import java.time.OffsetTime;
import java.time.Period;
import java.time.Year;
import java.time.YearMonth;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Calendar;
import java.util.Date;
import java.util.List;

/** Dates and times in JSON: the forms that Jackson's modules for java.time write (numbers and arrays) and take (ISO 8601 besides), and joda's DateTime. */
final class Times {
	private Times() {
	}

	static Object fromText(String s, Class<?> c) throws Exception {
		if (Scalars.isJoda(c))
			return call(c, "parse", String.class, s);
		if (c == Date.class)
			return date(s);
		if (Calendar.class.isAssignableFrom(c))
			return calendar(date(s).getTime());
		if (Scalars.isSql(c))
			return c.getName().equals("java.sql.Time") ? call(c, "valueOf", String.class, s) : sql(c, date(s).getTime());
		if (c == Instant.class || c == OffsetDateTime.class || c == ZonedDateTime.class) {
			if (s.matches("[0-9]+(\\.[0-9]+)?") && s.length() <= 30)
				return fromNumber(new BigDecimal(s), c);
			s = offset(s);
		}
		if (c == Instant.class) return Instant.from(DateTimeFormatter.ISO_OFFSET_DATE_TIME.parse(s));
		if (c == LocalDate.class) return s.length() > 10 && s.charAt(10) == 'T' ? LocalDate.from(DateTimeFormatter.ISO_DATE_TIME.parse(s)) : LocalDate.parse(s);
		if (c == LocalDateTime.class) return s.endsWith("Z") ? LocalDateTime.parse(s.substring(0, s.length() - 1)) : LocalDateTime.parse(s);
		if (c == LocalTime.class) return LocalTime.parse(s);
		if (c == OffsetDateTime.class) return OffsetDateTime.parse(s).withOffsetSameInstant(ZoneOffset.UTC);
		if (c == ZonedDateTime.class) return ZonedDateTime.parse(s).withZoneSameInstant(ZoneId.of("UTC"));
		if (c == OffsetTime.class) return OffsetTime.parse(s);
		if (c == Duration.class) return Duration.parse(s);
		if (c == Period.class) return Period.parse(s);
		if (c == Year.class) return Year.parse(s);
		if (c == YearMonth.class) return YearMonth.parse(s);
		if (c == MonthDay.class) return MonthDay.parse(s);
		if (c == ZoneOffset.class) return ZoneOffset.of(s);
		if (c == ZoneId.class) return ZoneId.of(s);
		throw new IllegalArgumentException("no " + c.getName() + " can be made of a text");
	}

	static Object fromNumber(BigDecimal n, Class<?> c) throws Exception {
		if (c == Date.class) return new Date(n.longValue());
		if (Scalars.isSql(c)) return sql(c, n.longValue());
		if (Calendar.class.isAssignableFrom(c)) return calendar(n.longValue());
		if (Scalars.isJoda(c)) return call(c, "parse", String.class, n.toPlainString());
		if (c == Year.class) return Year.of(n.intValue());
		if (c == LocalDate.class) return LocalDate.ofEpochDay(n.longValue());
		long seconds = n.toBigInteger().longValue();
		int nanos = n.subtract(new BigDecimal(seconds)).movePointRight(9).intValue();
		if (c == Duration.class) return Duration.ofSeconds(seconds, nanos);
		Instant i = Instant.ofEpochSecond(seconds, nanos);
		if (c == Instant.class) return i;
		if (c == OffsetDateTime.class) return OffsetDateTime.ofInstant(i, ZoneOffset.UTC);
		if (c == ZonedDateTime.class) return ZonedDateTime.ofInstant(i, ZoneId.of("UTC"));
		throw new IllegalArgumentException("no " + c.getName() + " can be made of a number");
	}

	private static int at(List<?> l, int i) {
		return i < l.size() ? ((Number) l.get(i)).intValue() : 0;
	}

	static Object fromList(List<?> l, Class<?> c) {
		if (c == LocalDate.class) return LocalDate.of(at(l, 0), at(l, 1), at(l, 2));
		if (c == LocalTime.class) return LocalTime.of(at(l, 0), at(l, 1), at(l, 2), at(l, 3));
		if (c == LocalDateTime.class) return LocalDateTime.of(at(l, 0), at(l, 1), at(l, 2), at(l, 3), at(l, 4), at(l, 5), at(l, 6));
		if (c == YearMonth.class) return YearMonth.of(at(l, 0), at(l, 1));
		if (c == MonthDay.class) return MonthDay.of(at(l, 0), at(l, 1));
		if (c == OffsetTime.class && !l.isEmpty() && l.get(l.size() - 1) instanceof String)
			return OffsetTime.of((LocalTime) fromList(l.subList(0, l.size() - 1), LocalTime.class), ZoneOffset.of((String) l.get(l.size() - 1)));
		throw new IllegalArgumentException("no " + c.getName() + " can be made of an array");
	}

	/** Jackson's StdDateFormat: ISO 8601 with or without a time, a zone, a fraction; or milliseconds. */
	private static Date date(String s) {
		if (s.matches("-?[0-9]+"))
			return new Date(Long.parseLong(s));
		try {
			if (s.indexOf('T') < 0)
				return Date.from(LocalDate.parse(s).atStartOfDay(ZoneOffset.UTC).toInstant());
			String t = offset(s);
			if (!t.endsWith("Z") && !t.matches(".*[+-][0-9]{2}:[0-9]{2}$"))
				t += "Z";
			return Date.from(OffsetDateTime.parse(t).toInstant());
		} catch (DateTimeException e) {
			return new Date(ZonedDateTime.parse(s, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant().toEpochMilli());
		}
	}

	/** +0100 or +01 as +01:00. */
	private static String offset(String s) {
		return s.indexOf('T') < 0 ? s : s.replaceFirst("([+-][0-9]{2})([0-9]{2})$", "$1:$2").replaceFirst("(T.*[+-][0-9]{2})$", "$1:00");
	}

	private static Object sql(Class<?> c, long ms) throws Exception {
		return c.getConstructor(long.class).newInstance(ms);
	}

	/** A date as the key of a map. */
	static String key(Date d) {
		String s = new Date(d.getTime()).toInstant().atOffset(ZoneOffset.UTC).format(DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS"));
		return s + "+00:00";
	}

	private static Calendar calendar(long ms) {
		Calendar c = Calendar.getInstance(java.util.TimeZone.getTimeZone("UTC"));
		c.setTimeInMillis(ms);
		return c;
	}

	private static Object call(Class<?> c, String method, Class<?> type, Object argument) throws Exception {
		try {
			return c.getMethod(method, type).invoke(null, argument);
		} catch (InvocationTargetException e) {
			throw e.getCause() instanceof Exception ? (Exception) e.getCause() : e;
		}
	}

	/** false: it is no time. */
	static boolean write(Object v, JsonOut out, boolean seconds) throws Exception {
		if (v.getClass().getName().equals("java.sql.Time")) {
			out.string(v.toString());
		} else if (v instanceof Date) {
			long ms = ((Date) v).getTime();
			out.raw(seconds ? String.valueOf(ms / 1000.0) : String.valueOf(ms));
		} else if (v instanceof Calendar) {
			out.raw(String.valueOf(((Calendar) v).getTimeInMillis()));
		} else if (Scalars.isJoda(v.getClass())) {
			ClassLoader loader = v.getClass().getClassLoader();
			Object format = Class.forName("org.joda.time.format.ISODateTimeFormat", true, loader).getMethod("dateTime").invoke(null);
			out.string((String) format.getClass().getMethod("print", Class.forName("org.joda.time.ReadableInstant", true, loader)).invoke(format, v));
		} else if (v.getClass().getName().startsWith("java.time.")) {
			return writeTime(v, out);
		} else {
			return false;
		}
		return true;
	}

	private static void decimal(JsonOut out, long seconds, int nanos) {
		BigDecimal d = new BigDecimal(BigInteger.valueOf(seconds)).add(new BigDecimal(BigInteger.valueOf(nanos), 9));
		out.raw(nanos == 0 ? (seconds == 0 ? "0.0" : seconds + ".000000000") : d.toString());
	}

	private static void list(JsonOut out, int... parts) {
		out.raw('[');
		for (int i = 0; i < parts.length; i++)
			out.raw(i == 0 ? "" : ",").raw(String.valueOf(parts[i]));
		out.raw(']');
	}

	private static int[] clock(LocalTime t, int... before) {
		int n = t.getNano() != 0 ? 4 : t.getSecond() != 0 ? 3 : 2;
		int[] all = java.util.Arrays.copyOf(before, before.length + n), parts = {t.getHour(), t.getMinute(), t.getSecond(), t.getNano()};
		System.arraycopy(parts, 0, all, before.length, n);
		return all;
	}

	private static boolean writeTime(Object v, JsonOut out) {
		if (v instanceof Instant) {
			decimal(out, ((Instant) v).getEpochSecond(), ((Instant) v).getNano());
		} else if (v instanceof OffsetDateTime) {
			decimal(out, ((OffsetDateTime) v).toEpochSecond(), ((OffsetDateTime) v).getNano());
		} else if (v instanceof ZonedDateTime) {
			decimal(out, ((ZonedDateTime) v).toEpochSecond(), ((ZonedDateTime) v).getNano());
		} else if (v instanceof Duration) {
			decimal(out, ((Duration) v).getSeconds(), ((Duration) v).getNano());
		} else if (v instanceof LocalDate) {
			LocalDate d = (LocalDate) v;
			list(out, d.getYear(), d.getMonthValue(), d.getDayOfMonth());
		} else if (v instanceof LocalTime) {
			list(out, clock((LocalTime) v));
		} else if (v instanceof LocalDateTime) {
			LocalDateTime d = (LocalDateTime) v;
			list(out, clock(d.toLocalTime(), d.getYear(), d.getMonthValue(), d.getDayOfMonth()));
		} else if (v instanceof YearMonth) {
			list(out, ((YearMonth) v).getYear(), ((YearMonth) v).getMonthValue());
		} else if (v instanceof OffsetTime) {
			int[] parts = clock(((OffsetTime) v).toLocalTime());
			out.raw('[');
			for (int n : parts)
				out.raw(String.valueOf(n)).raw(',');
			out.string(((OffsetTime) v).getOffset().toString()).raw(']');
		} else if (v instanceof Year) {
			out.raw(String.valueOf(((Year) v).getValue()));
		} else if (v instanceof Enum) {
			return false;
		} else {
			out.string(v.toString());
		}
		return true;
	}
}
