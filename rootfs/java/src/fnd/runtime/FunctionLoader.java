package fnd.runtime;

import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The function's classes: /var/task, /var/task/lib/*.jar and the layers' /opt/java/lib/*.jar, each sorted by name (Developer Guide, "java-package", and
 * CustomerClassLoader of AWS's client). The runtime's jar is not on it; its parent is the system's loader, by which aws-lambda-java-core is the runtime's own.
 */
final class FunctionLoader extends URLClassLoader {
	static {
		registerAsParallelCapable();
	}

	FunctionLoader(String task, String layers, ClassLoader parent) {
		super(path(task, layers), parent);
	}

	private static URL[] path(String task, String layers) {
		List<URL> all = new ArrayList<URL>();
		try {
			all.add(new URL("file", null, task + "/"));
			jars(task + "/lib", all);
			jars(layers + "/lib", all);
		} catch (MalformedURLException e) {
			throw new IllegalArgumentException(e);
		}
		return all.toArray(new URL[0]);
	}

	private static void jars(String directory, List<URL> to) throws MalformedURLException {
		String[] names = new File(directory).list();
		if (names == null)
			return;
		Arrays.sort(names);
		for (String n : names)
			if (n.endsWith(".jar"))
				to.add(new URL("file", null, directory + "/" + n));
	}
}
