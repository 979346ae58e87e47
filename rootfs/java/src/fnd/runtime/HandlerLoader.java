package fnd.runtime;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.util.Map;

/**
 * From "package.Class::method" or "package.Class" to something that can be called. Contract: AWS Lambda Developer Guide, "java-handler"; which of several
 * methods of a name is taken, and what is told of one that cannot be, as aws-lambda-java-runtime-interface-client 2.10 does it.
 */
final class HandlerLoader {
	private final ClassLoader loader;
	private Serializer serializer;

	HandlerLoader(ClassLoader loader) {
		this.loader = loader;
	}

	/** A fault that is not fatal is what each invocation is answered with. */
	Handler load(String name) throws Fault {
		int colons = name.lastIndexOf("::");
		String className = colons < 0 ? name : name.substring(0, colons), method = colons < 0 ? null : name.substring(colons + 2);
		if (className.isEmpty() || method != null && method.isEmpty())
			return failing(new Fault("Invalid handler: `" + name + "'", null, false));
		Class<?> c;
		try {
			c = Class.forName(className, true, loader);
		} catch (ClassNotFoundException e) {
			Fault.trim(e);
			return failing(new Fault("Class not found: " + className, e, false));
		} catch (Throwable t) {
			Fault.trim(t);
			throw new Fault("Error loading class " + className + (t.getMessage() == null ? "" : ": " + t.getMessage()), t, true);
		}
		try {
			return method == null ? interfaceHandler(c) : methodHandler(c, method);
		} catch (Fault f) {
			if (f.fatal)
				throw f;
			return failing(f);
		} catch (Throwable t) {
			Fault.trim(t);
			return failing(new Fault(Fault.messageOf(t), t, false));
		}
	}

	private static Handler failing(final Fault f) {
		return new Handler() {
			@Override
			public void call(byte[] event, Context context, Result result) {
				throw f;
			}
		};
	}

	private Serializer serializer() {
		if (serializer == null)
			serializer = new Serializer(loader);
		return serializer;
	}

	private static Object instance(Class<?> c) throws Throwable {
		Constructor<?> constructor;
		try {
			constructor = c.getConstructor();
		} catch (NoSuchMethodException e) {
			throw new Exception("Class " + c.getName() + (c.getEnclosingClass() != null && !Modifier.isStatic(c.getModifiers())
				? " cannot be instantiated because it is a non-static inner class" : " has no public zero-argument constructor"));
		}
		try {
			return constructor.newInstance();
		} catch (InvocationTargetException e) { // the initialisation has failed
			Throwable t = e.getCause() == null ? e : e.getCause();
			Fault.trim(t);
			throw new Fault(Fault.messageOf(t), t, true);
		} catch (ExceptionInInitializerError e) {
			Fault.trim(e);
			throw new Fault(Fault.messageOf(e), e, true);
		}
	}

	// --- the library's interfaces -----------------------------------------------------------------------------------------------------
	private Handler interfaceHandler(Class<?> c) throws Throwable {
		if (RequestStreamHandler.class.isAssignableFrom(c)) {
			final RequestStreamHandler h = (RequestStreamHandler) instance(c);
			return new Handler() {
				@Override
				public void call(byte[] event, Context context, Result result) throws Throwable {
					h.handleRequest(new ByteArrayInputStream(event), result, context);
				}
			};
		}
		if (!RequestHandler.class.isAssignableFrom(c))
			throw new Fault("Class does not implement an appropriate handler interface: " + c.getName(), null, false);
		final Type[] types = types(c);
		@SuppressWarnings("unchecked")
		final RequestHandler<Object, Object> h = (RequestHandler<Object, Object>) instance(c);
		final Serializer s = serializer();
		return new Handler() {
			@Override
			public void call(byte[] event, Context context, Result result) throws Throwable {
				s.write(h.handleRequest(s.read(event, types[0]), context), types[1], result);
			}
		};
	}

	/** What RequestHandler's I and O are. */
	private static Type[] types(Class<?> c) {
		Map<TypeVariable<?>, Type> bound = Types.bindings(c);
		TypeVariable<?>[] variables = RequestHandler.class.getTypeParameters();
		Type[] types = new Type[2];
		for (int i = 0; i < 2; i++) {
			if (bound.get(variables[i]) == null)
				throw new Fault("Class " + c.getName() + " does not implement RequestHandler with concrete type parameters", null, false);
			types[i] = bound.get(variables[i]);
		}
		for (TypeVariable<?> v : c.getTypeParameters()) // a class that leaves one open
			for (int i = 0; i < 2; i++)
				if (v.getBounds()[0] == Object.class && isVariableOf(c, v, variables[i]))
					throw new Fault("Class " + c.getName() + " does not implement RequestHandler with concrete type parameters: parameter " + v + " has no upper bound.", null, false);
		return types;
	}

	private static boolean isVariableOf(Class<?> c, TypeVariable<?> v, TypeVariable<?> of) {
		for (Type t : c.getGenericInterfaces())
			if (Types.raw(t) == RequestHandler.class && t instanceof java.lang.reflect.ParameterizedType) {
				Type[] arguments = ((java.lang.reflect.ParameterizedType) t).getActualTypeArguments();
				for (int i = 0; i < arguments.length; i++)
					if (arguments[i].equals(v) && RequestHandler.class.getTypeParameters()[i].equals(of))
						return true;
			}
		return false;
	}

	// --- any method ---------------------------------------------------------------------------------------------------------------------
	private static boolean isContext(Type t) {
		return t == Context.class;
	}

	/** Can it be called with an event? AWS's client takes these: nothing; an input; an input or nothing and the Context; streams of either kind before it. */
	private static boolean fits(Class<?>[] p) {
		switch (p.length) {
		case 0:
		case 1: return true;
		case 2: return p[0] == InputStream.class ? p[1] == OutputStream.class || isContext(p[1]) : !isContext(p[0]) && isContext(p[1]);
		case 3: return p[0] == InputStream.class && p[1] == OutputStream.class && isContext(p[2]);
		default: return false;
		}
	}

	/** More arguments come first, a Context counts twice, and what the compiler has added comes last. */
	private static int rank(Method m) {
		Class<?>[] p = m.getParameterTypes();
		return (m.isBridge() ? 0 : 100) + p.length + (p.length > 0 && isContext(p[p.length - 1]) ? 1 : 0);
	}

	private Handler methodHandler(Class<?> c, String name) throws Throwable {
		Method best = null;
		for (Method m : c.getMethods())
			if (m.getName().equals(name) && fits(m.getParameterTypes()) && (best == null || rank(m) > rank(best)))
				best = m;
		if (best == null)
			throw new Fault("No public method named " + name + " with appropriate method signature found on class " + c.getName(), null, false);
		return methodHandler(c, best);
	}

	private Handler methodHandler(Class<?> c, final Method m) throws Throwable {
		final Object instance = Modifier.isStatic(m.getModifiers()) ? null : instance(c);
		final Type[] types = m.getGenericParameterTypes();
		Bean.open(m); // public, of a class that need not be
		boolean s = false;
		for (Type t : types)
			s |= t == InputStream.class || t == OutputStream.class;
		final boolean streams = s;
		final Serializer serializer = streams ? null : serializer();
		final Map<TypeVariable<?>, Type> bound = Types.bindings(c);
		return new Handler() {
			@Override
			public void call(byte[] event, Context context, Result result) throws Throwable {
				Object[] arguments = new Object[types.length];
				for (int i = 0; i < types.length; i++)
					arguments[i] = isContext(types[i]) ? context : types[i] == InputStream.class ? new ByteArrayInputStream(event) : types[i] == OutputStream.class ? result
						: serializer.read(event, Types.resolve(types[i], bound));
				Object returned;
				try {
					returned = m.invoke(instance, arguments);
				} catch (InvocationTargetException e) {
					throw e.getCause() == null ? e : e.getCause();
				}
				if (!streams)
					serializer.write(returned, Types.resolve(m.getGenericReturnType(), bound), result);
			}
		};
	}
}
