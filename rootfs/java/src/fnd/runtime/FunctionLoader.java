package fnd.runtime;

import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.security.AllPermission;
import java.security.CodeSource;
import java.security.PermissionCollection;
import java.security.Permissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The function's classes: /var/task, /var/task/lib/*.jar and the layers' /opt/java/lib/*.jar, each sorted by name (Developer Guide, "java-package", and
 * CustomerClassLoader of AWS's client). The runtime's jar is not on it; its parent is the system's loader, by which aws-lambda-java-core is the runtime's own.
 * Of what else the system's loader could find, Java's modules aside, the function's own comes first: a start need not open the runtime's jar. Where an agent or a
 * wrapper may have put more there, the parent is asked first, as usual.
 */
final class FunctionLoader extends URLClassLoader {
	static {
		registerAsParallelCapable();
	}

	private static final String[] RUNTIMES = {"com.amazonaws.services.lambda.runtime.", "com.amazonaws.services.lambda.crac.", "fnd.runtime."};
	private static final String SERIALIZATION = RUNTIMES[0] + "serialization."; // which the function may have as AWS's library has it, whole

	private final ClassLoader modules; // null: the parent first

	/** more: the parent may have more than the runtime. */
	FunctionLoader(String task, String layers, ClassLoader parent, boolean more) {
		super(path(task, layers), parent);
		modules = more ? null : parent.getParent();
	}

	private static boolean isRuntimes(String name) {
		for (String prefix : RUNTIMES)
			if (name.startsWith(prefix))
				return !name.startsWith(SERIALIZATION);
		return false;
	}

	@Override
	protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
		if (modules == null || isRuntimes(name))
			return super.loadClass(name, resolve);
		synchronized (getClassLoadingLock(name)) {
			Class<?> c = findLoadedClass(name);
			if (c == null)
				c = search(name);
			if (resolve)
				resolveClass(c);
			return c;
		}
	}

	private Class<?> search(String name) throws ClassNotFoundException {
		try {
			return modules.loadClass(name);
		} catch (ClassNotFoundException e) {
			// none of Java's
		}
		try {
			return findClass(name);
		} catch (ClassNotFoundException e) {
			return getParent().loadClass(name); // Java's tools
		}
	}

	/** All: a security manager is the function's business; to ask the files for it, as URLClassLoader does, takes 10 ms. */
	@Override
	protected PermissionCollection getPermissions(CodeSource source) {
		Permissions all = new Permissions();
		all.add(new AllPermission());
		return all;
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
