package fnd.runtime;

import java.lang.reflect.AccessibleObject;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Member;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The properties of a class by the rules that AWS's client has its Jackson follow: written are public getters and public fields, read are setters of any
 * visibility and public fields, a name is Introspector.decapitalize() of what follows get, is or set, and the order is that of the fields' declaration.
 * Annotations count for nothing: AWS's Jackson is a renamed copy, which does not know those of a function's own.
 */
final class Bean {
	static final class Property {
		String name;
		Method getter, setter;
		Field field;
		Type type;          // of what is read
		int component = -1; // of a record: which argument of its constructor

		boolean isWritten() {
			return getter != null || field != null;
		}

		Object get(Object of) throws Exception {
			return getter != null ? getter.invoke(of) : field.get(of);
		}

		void set(Object of, Object value) throws Exception {
			if (setter != null)
				setter.invoke(of, value);
			else
				field.set(of, value);
		}
	}

	final Class<?> type;
	final List<Property> written = new ArrayList<Property>();
	final Map<String, Property> read = new LinkedHashMap<String, Property>();
	final Constructor<?> constructor;   // without arguments, or a record's; null: there is none
	Class<?>[] components;              // of a record

	Bean(Class<?> type) {
		this.type = type;
		Map<String, Property> found = new LinkedHashMap<String, Property>();
		List<Class<?>> lineage = new ArrayList<Class<?>>();
		for (Class<?> c = type; c != null && c != Object.class; c = c.getSuperclass())
			lineage.add(0, c);
		for (Class<?> c : lineage)
			for (Field f : c.getDeclaredFields())
				if (!Modifier.isStatic(f.getModifiers()) && !f.isSynthetic())
					addField(found, f);
		for (Class<?> c : lineage)
			for (Method m : c.getDeclaredMethods())
				addMethod(found, m);
		for (Method m : type.getMethods()) // those of interfaces, with a body or without
			if (m.getDeclaringClass().isInterface())
				addMethod(found, m);
		if (!addComponents(found))
			constructor = withoutArguments(type);
		else
			constructor = recordConstructor(type);
		EventNames.rename(type, found);
		for (Property p : new ArrayList<Property>(found.values())) {
			if (p.isWritten())
				written.add(p);
			if (p.component >= 0 || p.setter != null || p.field != null)
				read.put(p.name, p);
		}
	}

	private static Property property(Map<String, Property> found, String name) {
		Property p = found.get(name);
		if (p == null) {
			p = new Property();
			p.name = name;
			found.put(name, p);
		}
		return p;
	}

	private static void addField(Map<String, Property> found, Field f) {
		if (Modifier.isTransient(f.getModifiers()))
			return;
		Property p = property(found, f.getName()); // a private one has its place in the order
		if (Modifier.isPublic(f.getModifiers()) && open(f)) {
			p.field = f;
			p.type = f.getGenericType();
		}
	}

	private static void addMethod(Map<String, Property> found, Method m) {
		String name = m.getName();
		if (Modifier.isStatic(m.getModifiers()) || m.isSynthetic() || m.isBridge())
			return;
		if (m.getParameterTypes().length == 0 && Modifier.isPublic(m.getModifiers()) && m.getReturnType() != void.class) {
			Class<?> r = m.getReturnType();
			boolean is = name.startsWith("is") && name.length() > 2 && (r == boolean.class || r == Boolean.class);
			if (!is && !(name.startsWith("get") && name.length() > 3) || name.equals("getClass") || name.equals("getMetaClass") || name.equals("getDeclaringClass") || !open(m))
				return;
			Property p = property(found, decapitalize(name.substring(is ? 2 : 3)));
			if (p.getter == null || !is || p.getter.getName().startsWith("is"))
				p.getter = m; // a subclass's comes later
		} else if (m.getParameterTypes().length == 1 && name.startsWith("set") && name.length() > 3 && open(m)) {
			Property p = property(found, decapitalize(name.substring(3)));
			if (p.setter == null || rank(m, p) >= rank(p.setter, p)) {
				p.setter = m;
				p.type = m.getGenericParameterTypes()[0];
			}
		}
	}

	/** Of several setters of a name: the one that takes what the getter gives, a string, a scalar, anything else. */
	private static int rank(Method setter, Property p) {
		Class<?> c = setter.getParameterTypes()[0];
		if (c == String.class)
			return 3;
		if (p.getter != null && p.getter.getReturnType() == c)
			return 2;
		return c.isPrimitive() || Number.class.isAssignableFrom(c) ? 1 : 0;
	}

	static String decapitalize(String s) {
		if (s.length() > 1 && Character.isUpperCase(s.charAt(0)) && Character.isUpperCase(s.charAt(1)))
			return s;
		return Character.toLowerCase(s.charAt(0)) + s.substring(1);
	}

	// --- records, of which a class for Java 8 knows nothing -------------------------------------------------------------------------
	private static Object[] components(Class<?> type) {
		try {
			if (type.getSuperclass() != null && type.getSuperclass().getName().equals("java.lang.Record"))
				return (Object[]) Class.class.getMethod("getRecordComponents").invoke(type);
		} catch (ReflectiveOperationException e) {
			// an older Java
		}
		return null;
	}

	private boolean addComponents(Map<String, Property> found) {
		Object[] all = components(type);
		if (all == null)
			return false;
		this.components = new Class<?>[all.length];
		try {
			for (int i = 0; i < all.length; i++) {
				Class<?> c = all[i].getClass();
				Property p = property(found, (String) c.getMethod("getName").invoke(all[i]));
				p.component = i;
				p.type = (Type) c.getMethod("getGenericType").invoke(all[i]);
				this.components[i] = (Class<?>) c.getMethod("getType").invoke(all[i]);
				if (p.getter == null) {
					p.getter = (Method) c.getMethod("getAccessor").invoke(all[i]);
					open(p.getter);
				}
			}
		} catch (ReflectiveOperationException e) {
			throw new IllegalStateException(e);
		}
		return true;
	}

	private Constructor<?> recordConstructor(Class<?> type) {
		try {
			Constructor<?> c = type.getDeclaredConstructor(components);
			open(c);
			return c;
		} catch (NoSuchMethodException e) {
			return null;
		}
	}

	private static Constructor<?> withoutArguments(Class<?> type) {
		if (type.isInterface() || Modifier.isAbstract(type.getModifiers()))
			return null;
		try {
			Constructor<?> c = type.getDeclaredConstructor();
			return open(c) ? c : null;
		} catch (NoSuchMethodException e) {
			return null;
		}
	}

	/** May it be used? Of a public member of a public class that is nothing to ask for. */
	static boolean open(AccessibleObject o) {
		Member m = (Member) o;
		try {
			o.setAccessible(true);
			return true;
		} catch (RuntimeException e) { // of a module that is closed
			return Modifier.isPublic(m.getModifiers()) && Modifier.isPublic(m.getDeclaringClass().getModifiers());
		}
	}

	static boolean isContainer(Class<?> c) {
		return Map.class.isAssignableFrom(c) || Collection.class.isAssignableFrom(c) || c.isArray();
	}
}
