package fnd.runtime;

import com.amazonaws.services.lambda.runtime.CustomPojoSerializer;

import java.io.ByteArrayInputStream;
import java.lang.reflect.Type;
import java.net.URLClassLoader;
import java.util.Iterator;
import java.util.ServiceLoader;

/** From an event to a handler's input and back: by the function's own CustomPojoSerializer, if it provides one, else by this runtime. */
final class Serializer {
	private static final String SERVICE = "META-INF/services/" + CustomPojoSerializer.class.getName();

	private final CustomPojoSerializer own;

	/** Looks only where functions have it: asked for a resource, Java itself would open its modules, 9 ms. */
	Serializer(ClassLoader loader) {
		own = (loader instanceof URLClassLoader ? ((URLClassLoader) loader).findResource(SERVICE) : loader.getResource(SERVICE)) == null ? null : load(loader);
	}

	private static CustomPojoSerializer load(ClassLoader loader) {
		Iterator<CustomPojoSerializer> all = ServiceLoader.load(CustomPojoSerializer.class, loader).iterator();
		CustomPojoSerializer first = all.hasNext() ? all.next() : null;
		if (all.hasNext())
			throw new IllegalStateException("Too many serializers provided inside the META-INF/services folder, only one is allowed");
		return first;
	}

	Object read(byte[] event, Type type) throws Throwable {
		try {
			return own != null ? own.fromJson(new ByteArrayInputStream(event), type) : Decoder.decode(event, event.length, type);
		} catch (Throwable t) {
			Fault.trim(t);
			throw new RuntimeException("An error occurred during JSON parsing", t);
		}
	}

	void write(Object value, Type type, Result result) {
		try {
			if (type == void.class || type == Void.class)
				result.text.raw("null");
			else if (own != null)
				own.toJson(value, result, type);
			else
				Encoder.encode(value, type, result.text);
		} catch (Throwable t) {
			Fault.trim(t);
			throw new RuntimeException("An error occurred during JSON serialization of response", t);
		}
	}
}
