package fnd.runtime;

import java.lang.reflect.Array;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/**
 * Makes an object of a type from JSON. As Jackson does, with the features that AWS's client sets: members that a class does not know are passed by, an empty
 * string or array is a missing object, a single value stands for an array of one and the other way round, an unknown name of an enum is null.
 */
abstract class Decoder {
	private static final Map<Type, Decoder> known = new ConcurrentHashMap<Type, Decoder>();

	abstract Object read(Json json) throws Exception;

	Object missing() {
		return null;
	}

	static Decoder of(Type type) {
		return of(type, false);
	}

	/** seconds: a Date is a number of seconds, as in events; otherwise milliseconds. */
	static Decoder of(Type type, boolean seconds) {
		Class<?> c = Types.raw(type);
		if (c == java.util.Date.class && seconds)
			return Scalars.EVENT_DATE;
		Decoder d = known.get(type);
		if (d == null) {
			d = make(type, c, seconds);
			known.put(type, d);
		}
		return d;
	}

	private static Decoder make(Type type, Class<?> c, boolean seconds) {
		Decoder d = Scalars.decoder(c);
		if (d != null)
			return d;
		if (c == Object.class || c == java.io.Serializable.class)
			return ANY;
		if (c.getName().startsWith("java.util.Optional") || c.getName().startsWith("java.util.concurrent.atomic.AtomicReference"))
			return new Boxed(c, c.getTypeParameters().length == 0 ? null : of(Types.argument(type, c, 0), seconds));
		if (c.isArray())
			return new OfArray(c.getComponentType(), of(c.getComponentType(), seconds));
		if (java.util.Properties.class.isAssignableFrom(c))
			return new OfMap(c, String.class, String.class, seconds);
		if (c == Map.Entry.class)
			return new OfEntry(Types.raw(Types.argument(type, c, 0)), of(Types.argument(type, c, 1), seconds));
		if (Map.class.isAssignableFrom(c))
			return new OfMap(c, Types.raw(Types.argument(type, Map.class, 0)), Types.argument(type, Map.class, 1), seconds);
		if (Collection.class.isAssignableFrom(c) || c == Iterable.class)
			return new OfCollection(c, Types.argument(type, Iterable.class, 0), seconds);
		return S3Events.isOne(c) ? new S3Events(c) : new OfBean(type, c);
	}

	static Object decode(byte[] text, int length, Type type) throws Exception {
		Json json = new Json(text, length);
		if (json.peek() == -1)
			throw json.error("a value expected");
		Decoder d = of(Types.resolve(type, new HashMap<TypeVariable<?>, Type>()));
		Object value = json.isNull() ? d.missing() : d.read(json);
		json.finish();
		return value;
	}

	Object value(Json json) throws Exception {
		return json.isNull() ? missing() : read(json);
	}

	/** [x] for x; what else an array may stand for is nothing. */
	Object unwrap(Json json, Class<?> wanted) throws Exception {
		if (json.peek() != '[')
			throw json.error("cannot be a " + wanted.getName() + ": " + (char) json.peek());
		json.begin('[');
		Object value = missing();
		if (json.more(true, ']')) {
			value = value(json);
			if (json.more(false, ']'))
				throw json.error("one element expected");
		}
		return value;
	}

	// --- without a type -------------------------------------------------------------------------------------------------------------
	static final Decoder ANY = new Decoder() {
		@Override
		Object read(Json json) throws Exception {
			switch (json.peek()) {
			case '{':
				Map<String, Object> map = new LinkedHashMap<String, Object>();
				json.begin('{');
				for (boolean first = true; json.more(first, '}'); first = false)
					map.put(json.name(), value(json));
				return map;
			case '[':
				List<Object> list = new ArrayList<Object>();
				json.begin('[');
				for (boolean first = true; json.more(first, ']'); first = false)
					list.add(value(json));
				return list;
			case '"':
				return json.string();
			case '0':
				return number(json.number());
			default:
				return json.bool();
			}
		}
	};

	static Number number(String text) {
		if (text.indexOf('.') >= 0 || text.indexOf('e') >= 0 || text.indexOf('E') >= 0 || text.endsWith("N") || text.endsWith("y"))
			return Double.valueOf(text);
		if (text.length() < 19) {
			long l = Long.parseLong(text);
			if (l == (int) l)
				return (int) l;
			return l;
		}
		BigInteger big = new BigInteger(text);
		if (big.bitLength() < 64)
			return big.longValue();
		return big;
	}

	/** What a name in JSON is as the key of a map. */
	private static Object key(String name, Class<?> type, Json json) throws Exception {
		if (type == String.class || type == Object.class || type == CharSequence.class)
			return name;
		return Scalars.fromText(name, type, json);
	}

	// --- containers -----------------------------------------------------------------------------------------------------------------
	private static final class OfMap extends Decoder {
		private final Class<?> type, keys;
		private final Decoder values;

		OfMap(Class<?> type, Class<?> keys, Type values, boolean seconds) {
			this.type = type;
			this.keys = keys;
			this.values = of(values, seconds);
		}

		@SuppressWarnings({"unchecked", "rawtypes"})
		private Map<Object, Object> create() throws Exception {
			if (!Modifier.isAbstract(type.getModifiers()))
				return (Map<Object, Object>) instance(new Bean(type).constructor, type);
			if (type.isAssignableFrom(LinkedHashMap.class))
				return new LinkedHashMap<Object, Object>();
			if (type.isAssignableFrom(TreeMap.class) || type == SortedMap.class)
				return new TreeMap<Object, Object>();
			if (type == ConcurrentMap.class)
				return new ConcurrentHashMap<Object, Object>();
			throw new IllegalArgumentException("Cannot construct instance of " + type.getName() + ": it is abstract");
		}

		@Override
		Object read(Json json) throws Exception {
			if (json.peek() == '"' && json.isEmptyString())
				return null;
			if (json.peek() == '[')
				return unwrap(json, type);
			Map<Object, Object> map = keys.isEnum() && type.isAssignableFrom(java.util.EnumMap.class) ? enumMap() : create();
			json.begin('{');
			for (boolean first = true; json.more(first, '}'); first = false) {
				Object key = key(json.name(), keys, json);
				map.put(key, values.value(json));
			}
			return map;
		}

		@SuppressWarnings({"unchecked", "rawtypes"})
		private Map<Object, Object> enumMap() {
			return type == java.util.EnumMap.class ? new java.util.EnumMap(keys) : new LinkedHashMap<Object, Object>();
		}
	}

	private static final class OfEntry extends Decoder {
		private final Class<?> key;
		private final Decoder value;

		OfEntry(Class<?> key, Decoder value) {
			this.key = key;
			this.value = value;
		}

		@Override
		Object read(Json json) throws Exception {
			json.begin('{');
			if (!json.more(true, '}'))
				throw json.error("one member expected");
			Object k = key(json.name(), key, json), v = value.value(json);
			if (json.more(false, '}'))
				throw json.error("one member expected");
			return new java.util.AbstractMap.SimpleEntry<Object, Object>(k, v);
		}
	}

	private static final class OfCollection extends Decoder {
		private final Class<?> type, element;
		private final Decoder elements;

		OfCollection(Class<?> type, Type elements, boolean seconds) {
			this.type = type;
			this.element = Types.raw(elements);
			this.elements = of(elements, seconds);
		}

		@SuppressWarnings({"unchecked", "rawtypes"})
		private Collection<Object> create() throws Exception {
			if (type == java.util.EnumSet.class)
				return java.util.EnumSet.noneOf((Class) element);
			if (!Modifier.isAbstract(type.getModifiers()))
				return (Collection<Object>) instance(new Bean(type).constructor, type);
			if (type.isAssignableFrom(ArrayList.class))
				return new ArrayList<Object>();
			if (type == Set.class)
				return new HashSet<Object>();
			if (type == SortedSet.class || type.isAssignableFrom(TreeSet.class))
				return new TreeSet<Object>();
			if (type == Queue.class || type == Deque.class || type.isAssignableFrom(LinkedList.class))
				return new LinkedList<Object>();
			throw new IllegalArgumentException("Cannot construct instance of " + type.getName() + ": it is abstract");
		}

		@Override
		Object read(Json json) throws Exception {
			Collection<Object> list = create();
			if (json.peek() == '"' && json.isEmptyString())
				return null;
			if (json.peek() != '[') { // one is a list of one
				list.add(elements.value(json));
				return list;
			}
			json.begin('[');
			for (boolean first = true; json.more(first, ']'); first = false) {
				Object value = elements.value(json);
				if (value != null || type != java.util.EnumSet.class)
					list.add(value);
			}
			return list;
		}
	}

	private static final class OfArray extends Decoder {
		private final Class<?> component;
		private final Decoder elements;

		OfArray(Class<?> component, Decoder elements) {
			this.component = component;
			this.elements = elements;
		}

		@Override
		Object read(Json json) throws Exception {
			List<Object> list = new ArrayList<Object>();
			if (json.peek() == '"' && json.isEmptyString())
				return null;
			if (json.peek() != '[') {
				list.add(elements.value(json));
			} else {
				json.begin('[');
				for (boolean first = true; json.more(first, ']'); first = false)
					list.add(elements.value(json));
			}
			Object array = Array.newInstance(component, list.size());
			for (int i = 0; i < list.size(); i++)
				Array.set(array, i, list.get(i));
			return array;
		}
	}

	/** Optional and its kin, AtomicReference. */
	private static final class Boxed extends Decoder {
		private final Class<?> box;
		private final Decoder content;

		Boxed(Class<?> box, Decoder content) {
			this.box = box;
			this.content = content != null ? content : of(box.getName().endsWith("Int") ? int.class : box.getName().endsWith("Long") ? long.class : double.class);
		}

		@Override
		Object read(Json json) throws Exception {
			Object value = content.read(json);
			if (value == null)
				return missing();
			if (box.getName().startsWith("java.util.concurrent."))
				return new java.util.concurrent.atomic.AtomicReference<Object>(value);
			for (java.lang.reflect.Method m : box.getMethods())
				if (m.getName().equals("of"))
					return m.invoke(null, value);
			throw new IllegalStateException();
		}

		@Override
		Object missing() {
			try {
				return box.getName().startsWith("java.util.concurrent.") ? new java.util.concurrent.atomic.AtomicReference<Object>() : box.getMethod("empty").invoke(null);
			} catch (ReflectiveOperationException e) {
				throw new IllegalStateException(e);
			}
		}
	}

	// --- beans ----------------------------------------------------------------------------------------------------------------------
	private static Object instance(java.lang.reflect.Constructor<?> c, Class<?> type, Object... arguments) throws Exception {
		if (c == null)
			throw new IllegalArgumentException("Cannot construct instance of `" + type.getName() + "`: " + (Modifier.isAbstract(type.getModifiers())
				? "abstract types cannot be instantiated" : "no constructor without arguments"));
		return call(c, arguments);
	}

	private static Object call(java.lang.reflect.Constructor<?> c, Object[] arguments) throws Exception {
		try {
			return c.newInstance(arguments);
		} catch (InvocationTargetException e) {
			throw e.getCause() instanceof Exception ? (Exception) e.getCause() : e;
		}
	}

	private static final class OfBean extends Decoder {
		private final Type type;
		private final Class<?> raw;
		private Bean bean;
		private final Map<String, Decoder> decoders = new HashMap<String, Decoder>();

		OfBean(Type type, Class<?> raw) {
			this.type = type;
			this.raw = raw;
		}

		/** Later than the constructor: a bean may hold its own kind. */
		private synchronized void prepare() {
			if (bean != null)
				return;
			Bean b = new Bean(raw);
			Map<TypeVariable<?>, Type> bound = Types.bindings(type);
			for (Bean.Property p : b.read.values())
				decoders.put(p.name, of(Types.resolve(p.type, bound), EventNames.isEvent(raw)));
			bean = b;
		}

		@Override
		Object read(Json json) throws Exception {
			prepare();
			if (json.peek() == '[')
				return unwrap(json, raw);
			if (json.peek() == '"' && json.isEmptyString())
				return null;
			if (json.peek() != '{')
				throw json.error("cannot be a " + raw.getName());
			Object made = bean.components == null ? instance(bean.constructor, raw) : null;
			Object[] arguments = bean.components == null ? null : new Object[bean.components.length];
			if (arguments != null)
				for (Bean.Property p : bean.read.values())
					if (p.component >= 0)
						arguments[p.component] = decoders.get(p.name).missing();
			json.begin('{');
			for (boolean first = true; json.more(first, '}'); first = false) {
				String name = json.name();
				Bean.Property p = bean.read.get(name);
				if (p == null)
					json.skip();
				else
					take(json, p, made, arguments);
			}
			return made != null ? made : instance(bean.constructor, raw, arguments);
		}

		private void take(Json json, Bean.Property p, Object made, Object[] arguments) throws Exception {
			Object value;
			try {
				value = decoders.get(p.name).value(json);
				if (arguments != null)
					arguments[p.component] = value;
				else
					p.set(made, value);
			} catch (InvocationTargetException e) {
				throw new IllegalArgumentException(e.getCause() + " (through reference chain: " + raw.getName() + "[\"" + p.name + "\"])", e.getCause());
			}
		}
	}

}
