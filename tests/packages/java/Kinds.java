package app;

import java.lang.reflect.Type;
import java.math.*;
import java.time.*;
import java.util.*;
import java.util.concurrent.atomic.*;

/** Values and texts that are to become the same in both ways. */
public class Kinds {
	public enum Colour { RED, GREEN { @Override public String toString() { return "g"; } } }
	public static class Plain { private String a = "x"; private final int b = 1; protected int c = 2; public int d = 3; public static int e = 4; public transient int f = 5; public String getA() { return a; } public int getX() { return 9; } }
	public static class Names {
		private String URL, aB, eTag, x; private boolean isOn; private Boolean done; private String get;
		public String getURL() { return URL; } public void setURL(String v) { URL = v; }
		public String getaB() { return aB; } public void setaB(String v) { aB = v; }
		public String getETag() { return eTag; } public void setETag(String v) { eTag = v; }
		public String getX() { return x; } public void setX(String v) { x = v; }
		public boolean isOn() { return isOn; } public void setOn(boolean v) { isOn = v; }
		public Boolean isDone() { return done; } public void setDone(Boolean v) { done = v; }
		public Names withX(String v) { x = v; return this; }
		public String get() { return get; } public void set(String v) { get = v; }
	}
	public static class Parent { private String p = "p"; public String getP() { return p; } public void setP(String v) { p = v; } }
	public static class Child extends Parent { private String c = "c"; public String getC() { return c; } public void setC(String v) { c = v; } }
	public static class Holder<T> { private T value; private List<T> list; public T getValue() { return value; } public void setValue(T v) { value = v; } public List<T> getList() { return list; } public void setList(List<T> v) { list = v; } }
	public static class Ints extends Holder<Integer> { }
	public static class All {
		public byte by; public short sh; public int in; public long lo; public float fl; public double dou; public boolean bo; public char ch;
		public Byte Bby; public Short Bsh; public Integer Bin; public Long Blo; public Float Bfl; public Double Bdou; public Boolean Bbo; public Character Bch;
		public BigInteger bi; public BigDecimal bd; public Number nu; public Colour co; public String st; public Object ob; public byte[] bytes; public char[] chars; public int[] ints; public String[] strings; public int[][] deep;
		public List<Integer> list; public Set<String> set; public Map<String, Integer> map; public Map<Integer, Colour> ints2; public EnumMap<Colour, Integer> enums; public Collection<Plain> plains; public SortedMap<String, Long> sorted; public Queue<String> queue;
		public Optional<String> opt; public OptionalInt optInt; public AtomicInteger atomic; public AtomicReference<String> ref; public UUID uuid; public java.net.URI uri; public Locale locale; public Currency currency; public TimeZone zone;
		public Date date; public Calendar calendar; public Instant instant; public LocalDate localDate; public LocalDateTime localDateTime; public LocalTime localTime; public OffsetDateTime offset; public ZonedDateTime zoned; public Duration duration;
		public Period period; public Year year; public YearMonth yearMonth; public ZoneId zoneId; public DayOfWeek day; public StringBuilder builder; public Void none; public Iterable<String> iterable;
	}
	private static class Hidden { private String secret = "s"; public String getOpen() { return "o"; } }
	public interface Face { String getName(); }
	public static class Faced implements Face { public String getName() { return "n"; } public String getMore() { return "m"; } }
	public static class NoDefault { private final String s; public NoDefault(String s) { this.s = s; } public String getS() { return s; } }
	public static class Creator { public String s; private Creator() { } public static Creator valueOf(String s) { Creator c = new Creator(); c.s = s; return c; } }
	public static class Failing { public String getA() { throw new IllegalStateException("no"); } }
	public static class Throwing { public void setA(String a) { throw new IllegalStateException("no"); } }
	public static class Finals { public final List<String> l = new ArrayList<>(); public final int n = new Random().nextInt(1); }
	public static class OnlyGetters { private final List<String> l = new ArrayList<>(); public List<String> getL() { return l; } }
	public static class MyList extends ArrayList<String> { public String extra = "e"; }
	public static class More {
		public Map.Entry<String, Integer> entry; public java.io.Serializable any; public EnumSet<Colour> set; public Properties properties; public Month month; public DayOfWeek day; public OffsetTime time; public MonthDay monthDay;
		public java.sql.Timestamp stamp; public java.sql.Date sqlDate; public java.sql.Time clock; public java.nio.file.Path path; public OffsetDateTime offset; public ZonedDateTime zoned; public Instant instant; public Map<Date, Integer> days; public Colour co; public byte[] bytes;
	}
	public static class Goes implements Iterable<String> { public String getA() { return "a"; } public Iterator<String> iterator() { return Arrays.asList("i").iterator(); } }
	public static class MyMap extends HashMap<String, Integer> { }

	public static All all() {
		All a = new All();
		a.by = 1; a.sh = 2; a.in = 3; a.lo = 4; a.fl = 1.5f; a.dou = 1e10; a.bo = true; a.ch = 'ä';
		a.Bby = 1; a.Bsh = 2; a.Bin = 3; a.Blo = 4L; a.Bfl = 0.1f; a.Bdou = Double.NaN; a.Bbo = false; a.Bch = 'c';
		a.bi = new BigInteger("123456789012345678901234567890"); a.bd = new BigDecimal("1.10"); a.nu = 5; a.co = Colour.GREEN; a.st = "\u0001\"\\\n\u007f\u2028é\ud83d\ude00/"; a.ob = new int[] {1}; a.bytes = new byte[] {1, -1}; a.chars = "ab".toCharArray();
		a.ints = new int[] {1, 2}; a.strings = new String[] {"a", null}; a.deep = new int[][] {{1}, {}}; a.list = Arrays.asList(1, null); a.set = new HashSet<>(Arrays.asList("x")); a.map = new HashMap<>(); a.map.put("n", null); a.map.put("o", 1);
		a.ints2 = new TreeMap<>(); a.ints2.put(7, Colour.RED); a.enums = new EnumMap<>(Colour.class); a.enums.put(Colour.GREEN, 2); a.plains = Arrays.asList(new Plain()); a.queue = new LinkedList<>(Arrays.asList("q"));
		a.opt = Optional.of("o"); a.optInt = OptionalInt.of(4); a.atomic = new AtomicInteger(5); a.ref = new AtomicReference<>("r"); a.uuid = new UUID(1, 2); a.uri = java.net.URI.create("http://x/y"); a.locale = Locale.GERMANY; a.currency = Currency.getInstance("EUR"); a.zone = TimeZone.getTimeZone("UTC");
		a.date = new Date(1700000000123L); a.calendar = new GregorianCalendar(TimeZone.getTimeZone("UTC")); a.calendar.setTimeInMillis(5); a.instant = Instant.ofEpochSecond(1700000000, 123456789); a.localDate = LocalDate.of(2023, 1, 2); a.localDateTime = LocalDateTime.of(2023, 1, 2, 3, 4);
		a.localTime = LocalTime.of(1, 2, 3, 4); a.offset = OffsetDateTime.of(2023, 1, 2, 3, 4, 5, 0, ZoneOffset.ofHours(2)); a.zoned = ZonedDateTime.of(2023, 1, 2, 3, 4, 5, 6000000, ZoneId.of("Europe/Berlin")); a.duration = Duration.ofMillis(1500); a.period = Period.ofDays(3);
		a.year = Year.of(2020); a.yearMonth = YearMonth.of(2020, 5); a.zoneId = ZoneId.of("Europe/Berlin"); a.day = DayOfWeek.FRIDAY; a.builder = new StringBuilder("b"); a.iterable = Arrays.asList("i");
		return a;
	}

	public static List<Object[]> values() {
		List<Object[]> v = new ArrayList<>();
		All empty = new All();
		empty.opt = Optional.empty(); empty.optInt = OptionalInt.empty(); empty.instant = Instant.EPOCH; empty.duration = Duration.ZERO; empty.localTime = LocalTime.MIDNIGHT;
		Map<String, Object> circle = new HashMap<>();
		Map<Object, Object> odd = new LinkedHashMap<>(); odd.put(1, "a"); odd.put(true, "b"); odd.put(Colour.GREEN, "c"); odd.put('x', "d"); odd.put(LocalDate.of(2020, 1, 1), "e");
		for (Object o : new Object[] {all(), empty, new Plain(), new Names(), new Child(), new Hidden(), new Faced(), new NoDefault("x"), new MyList(), new MyMap(), new Failing(), new Finals(), new OnlyGetters(), new Object(), new Thread.State[] {Thread.State.NEW}, odd,
				new IllegalStateException("m").getMessage(), Arrays.asList(new Child(), new Plain()), Colour.GREEN, 'c', 1.0, 1e-7, 123456789.0f, Float.POSITIVE_INFINITY, new BigDecimal("1E+5"), Optional.of(1), "x", true, new HashMap<>(), Collections.singletonMap(null, 1), String.class, new StringBuffer("sb"), new Goes(), new AbstractMap.SimpleEntry<>("k", 1), new ArrayList<>(new TreeMap<>(Collections.singletonMap("k", 1)).entrySet()), "\ud800x", MonthDay.of(2, 3), OffsetTime.of(1, 2, 3, 4, ZoneOffset.ofHours(2)), java.sql.Time.valueOf("01:02:03"), new HashMap<>(Collections.singletonMap(new Date(5), 1))})
			v.add(new Object[] {o.getClass().getSimpleName() + " " + v.size(), o, o.getClass()});
		v.add(new Object[] {"child as parent", new Child(), Parent.class});
		v.add(new Object[] {"faced as face", new Faced(), Face.class});
		v.add(new Object[] {"as object", new Child(), Object.class});
		v.add(new Object[] {"null", null, Child.class});
		v.add(new Object[] {"map of nulls", new HashMap<>(Collections.singletonMap("a", null)), Map.class});
		v.add(new Object[] {"list of nulls", Arrays.asList(1, null), List.class});
		return v;
	}

	public static List<Object[]> texts() {
		List<Object[]> t = new ArrayList<>();
		Object[][] all = {
			{All.class, "{}", "null", "\"\"", "[]", "[{}]", "1", "{\"in\":\"5\",\"Bin\":\"\",\"lo\":1.9,\"dou\":\"1.5\",\"bo\":1,\"Bbo\":\"True\",\"ch\":\"c\",\"Bch\":65}", "{\"in\":null,\"bo\":null,\"ch\":null,\"Bin\":null}", "{\"in\":true}", "{\"in\":\"x\"}", "{\"by\":200}", "{\"by\":300}", "{\"sh\":40000}", "{\"in\":3000000000}",
				"{\"st\":5,\"ob\":5}", "{\"st\":1.50,\"ob\":1.50}", "{\"st\":true}", "{\"st\":[\"a\"]}", "{\"st\":{}}", "{\"co\":\"RED\"}", "{\"co\":\"g\"}", "{\"co\":1}", "{\"co\":\"x\"}", "{\"co\":\"\"}", "{\"bytes\":\"AQI=\",\"chars\":\"ab\",\"ints\":[1,2],\"strings\":[\"a\",null],\"deep\":[[1],[]]}", "{\"ints\":5}", "{\"list\":[1,\"2\",null],\"set\":[\"a\",\"a\"],\"map\":{\"a\":1},\"ints2\":{\"7\":\"RED\"},\"enums\":{\"RED\":1}}",
				"{\"list\":1}", "{\"list\":\"\"}", "{\"map\":\"\"}", "{\"map\":[]}", "{\"plains\":[{\"d\":7,\"a\":\"z\",\"zzz\":1}]}", "{\"sorted\":{\"b\":1,\"a\":2},\"queue\":[\"q\"],\"iterable\":[\"i\"]}", "{\"opt\":\"x\",\"optInt\":5}", "{\"opt\":null}", "{\"atomic\":5,\"ref\":\"r\",\"uuid\":\"00000000-0000-0001-0000-000000000002\",\"uri\":\"http://x\",\"locale\":\"de_DE\",\"currency\":\"EUR\",\"zone\":\"UTC\"}",
				"{\"date\":5}", "{\"date\":\"2023-11-14T22:13:20.123Z\"}", "{\"date\":\"2023-11-14T22:13:20.123+0200\"}", "{\"date\":\"2023-11-14\"}", "{\"date\":\"\"}", "{\"date\":\"x\"}", "{\"calendar\":1700000000123}", "{\"instant\":1700000000.123456789}", "{\"instant\":\"2023-11-14T22:13:20.123Z\"}", "{\"localDate\":\"2023-01-02\",\"localDateTime\":\"2023-01-02T03:04:05\",\"localTime\":\"01:02\"}", "{\"localDate\":[2023,1,2],\"localDateTime\":[2023,1,2,3,4],\"localTime\":[1,2,3,4]}",
				"{\"offset\":\"2023-01-02T03:04:05+02:00\",\"zoned\":\"2023-01-02T03:04:05+01:00\"}", "{\"duration\":\"PT1.5S\",\"period\":\"P3D\",\"year\":2020,\"yearMonth\":\"2020-05\",\"zoneId\":\"Europe/Berlin\",\"day\":\"FRIDAY\"}", "{\"duration\":1.5}", "{\"nu\":5,\"bi\":123456789012345678901234567890,\"bd\":1.10}", "{\"nu\":1.5}", "{\"nu\":12345678901}", "{\"builder\":\"b\",\"none\":5}", "{\"fl\":\"NaN\",\"dou\":\"Infinity\"}", "{\"unknown\":{\"a\":[1,{\"b\":null}]}}", "{\"in\":1,\"in\":2}", "{\"in\":1", "{\"in\" 1}", "{\"st\":\"\\u00e4\\n\\/\\ud83d\\ude00\"}", "{\"ob\":{\"a\":[1,2.5,null,true,\"x\",12345678901,123456789012345678901234567890]}}", "{\"ints\":\"\"}", "{\"deep\":1}", "{\"Bin\":[5]}", "{\"Bin\":[]}", "{\"bo\":\"x\"}", "{\"in\":\" 5 \"}", "{\"in\":\"5.5\"}"},
			{Names.class, "{\"URL\":\"u\",\"url\":\"n\",\"aB\":\"1\",\"ab\":\"2\",\"ETag\":\"3\",\"eTag\":\"4\",\"x\":\"5\",\"X\":\"6\",\"on\":true,\"done\":true,\"isOn\":true}"},
			{Plain.class, "{\"a\":\"q\",\"b\":5,\"c\":6,\"d\":7,\"e\":8,\"f\":9,\"x\":1}"}, {Child.class, "{\"p\":\"1\",\"c\":\"2\"}"}, {Ints.class, "{\"value\":\"5\",\"list\":[\"6\",7]}"}, {Holder.class, "{\"value\":{\"a\":1},\"list\":[1,\"x\"]}"},
			{NoDefault.class, "{\"s\":\"x\"}", "\"x\""}, {Creator.class, "\"x\"", "{\"s\":\"y\"}"}, {Throwing.class, "{\"a\":\"x\"}", "{}"}, {Finals.class, "{\"l\":[\"a\"],\"n\":5}"}, {OnlyGetters.class, "{\"l\":[\"a\"]}"}, {MyList.class, "[\"a\",1]"}, {MyMap.class, "{\"a\":\"1\"}"}, {Face.class, "{\"name\":\"x\"}"}, {Hidden.class, "{\"secret\":\"x\"}"},
			{String.class, "\"x\"", "5", "true", "null", "{}", "[\"x\"]", "1.50"}, {int.class, "5", "\"5\"", "5.7", "null", "\"\"", "true"}, {Integer.class, "null", "\"\"", "[5]"}, {boolean.class, "true", "0", "\"true\"", "\"x\"", "null"}, {double.class, "1", "\"NaN\"", "1e400"}, {Object.class, "1", "\"x\"", "{\"a\":1}", "[1]", "1.0", "null", "1e5", "-0"}, {Map.class, "{\"a\":{\"b\":[1]}}", "[]", "\"\"", "5"}, {List.class, "[1,\"a\",{}]", "5", "{}"}, {Colour.class, "\"RED\"", "\"x\"", "0"},
			{More.class, "{\"entry\":{\"k\":1}}", "{\"any\":{\"a\":[1,\"x\",null]}}", "{\"any\":5}", "{\"set\":[\"RED\",\"x\"]}", "{\"set\":\"RED\"}", "{\"properties\":{\"a\":1}}", "{\"month\":4,\"day\":0}", "{\"month\":\"5\"}", "{\"time\":[1,2,\"+02:00\"]}", "{\"monthDay\":\"--02-03\"}", "{\"stamp\":5,\"sqlDate\":5}",
				"{\"stamp\":\"2020-01-02T03:04:05Z\",\"sqlDate\":\"2020-01-02\",\"clock\":\"01:02:03\"}", "{\"path\":\"file:///x\"}", "{\"path\":\"/x\"}", "{\"offset\":\"2020-01-02T03:04:05+0200\"}", "{\"offset\":\"2020-01-02T03:04:05.123456789-0330\"}", "{\"offset\":\"5\"}", "{\"zoned\":\"2020-01-02T03:04:05+0100\"}",
				"{\"instant\":\"2020-01-02T03:04:05+0000\"}", "{\"instant\":\"1700000000.5\"}", "{\"days\":{\"2020-01-02T03:04:05Z\":1}}", "{\"co\":\"1\"}", "{\"co\":\" RED \"}", "{\"co\":\"7\"}", "{\"bytes\":\"!!!!\"}", "{\"bytes\":\"AQ\"}"},
			{Void.class, "5", "null"}, {long.class, "9223372036854775807", "9223372036854775808", "1e3"}, {String[].class, "[\"a\",5]", "\"a\""}, {byte[].class, "\"AQI=\""}, {Instant.class, "1.5", "\"2023-01-01T00:00:00Z\""}, {Date.class, "1", "\"2023-01-01\""}, {UUID.class, "\"x\""}};
		for (Object[] k : all)
			for (int i = 1; i < k.length; i++)
				t.add(new Object[] {k[i], k[0]});
		return t;
	}
}
