package fnd.runtime;

import java.lang.reflect.Array;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/** Generic types with their variables replaced by what these stand for. */
final class Types {
	/** A generic class with its arguments. */
	private static final class Applied implements ParameterizedType {
		private final Class<?> raw;
		private final Type[] arguments;

		Applied(Class<?> raw, Type[] arguments) {
			this.raw = raw;
			this.arguments = arguments;
		}

		@Override
		public Type[] getActualTypeArguments() {
			return arguments;
		}

		@Override
		public Type getRawType() {
			return raw;
		}

		@Override
		public Type getOwnerType() {
			return raw.getDeclaringClass();
		}

		@Override
		public boolean equals(Object o) {
			return o instanceof Applied && ((Applied) o).raw == raw && Arrays.equals(((Applied) o).arguments, arguments);
		}

		@Override
		public int hashCode() {
			return raw.hashCode() ^ Arrays.hashCode(arguments);
		}

		@Override
		public String toString() {
			return raw.getName() + Arrays.toString(arguments);
		}
	}

	private Types() {
	}

	static Class<?> raw(Type t) {
		if (t instanceof Class)
			return (Class<?>) t;
		if (t instanceof ParameterizedType)
			return (Class<?>) ((ParameterizedType) t).getRawType();
		if (t instanceof GenericArrayType)
			return Array.newInstance(raw(((GenericArrayType) t).getGenericComponentType()), 0).getClass();
		return Object.class;
	}

	/** Without variables and wildcards. */
	static Type resolve(Type t, Map<TypeVariable<?>, Type> bound) {
		if (t instanceof Class)
			return t;
		if (t instanceof ParameterizedType) {
			Type[] old = ((ParameterizedType) t).getActualTypeArguments(), arguments = new Type[old.length];
			for (int i = 0; i < old.length; i++)
				arguments[i] = resolve(old[i], bound);
			return new Applied(raw(t), arguments);
		}
		if (t instanceof WildcardType)
			return resolve(((WildcardType) t).getUpperBounds()[0], bound);
		if (t instanceof TypeVariable) {
			Type is = bound.get(t);
			if (is != null)
				return is;
			Type bound0 = ((TypeVariable<?>) t).getBounds()[0];
			return raw(bound0); // its own arguments may name itself
		}
		if (t instanceof GenericArrayType)
			return Array.newInstance(raw(resolve(((GenericArrayType) t).getGenericComponentType(), bound)), 0).getClass();
		return Object.class;
	}

	/** What the variables of a type, its superclasses and its interfaces stand for. */
	static Map<TypeVariable<?>, Type> bindings(Type t) {
		Map<TypeVariable<?>, Type> bound = new HashMap<TypeVariable<?>, Type>();
		bind(t, bound);
		return bound;
	}

	private static void bind(Type t, Map<TypeVariable<?>, Type> bound) {
		Class<?> c = raw(t);
		if (t instanceof ParameterizedType) {
			TypeVariable<?>[] variables = c.getTypeParameters();
			Type[] arguments = ((ParameterizedType) t).getActualTypeArguments();
			for (int i = 0; i < variables.length; i++)
				bound.put(variables[i], resolve(arguments[i], bound));
		}
		if (c.getGenericSuperclass() != null)
			bind(c.getGenericSuperclass(), bound);
		for (Type i : c.getGenericInterfaces())
			bind(i, bound);
	}

	/** The argument of a generic class or interface that t is one of: of Map's 1 for a subclass of HashMap<String, Long> is Long. */
	static Type argument(Type t, Class<?> of, int i) {
		Type found = bindings(t).get(of.getTypeParameters()[i]);
		return found == null ? Object.class : found;
	}
}
