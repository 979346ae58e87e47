package fnd.runtime;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Set;

/**
 * What a process has loaded, for the archive of a function's classes: its init is gone through again when one is made, its invocations are not. One that has answered
 * tells; the one that makes the archive loads the same, uninitialised, and lists the lambdas of what has used any.
 */
final class Loaded {
	private static final String[] KINDS = {null, "getField", "getStatic", "putField", "putStatic", "invokeVirtual", "invokeStatic", "invokeSpecial", "newInvokeSpecial", "invokeInterface"};

	private Loaded() {
	}

	/** Names as in a class file, one a line; and "&" and the name of a class for each lambda of it that is there. */
	static byte[] names() {
		try {
			System.load("/var/runtime/libfnd_ahead.so");
			return names0();
		} catch (Throwable t) {
			return new byte[0]; // the archive has what the init loads
		}
	}

	private static native byte[] names0();

	/**
	 * lambdas: a file for lines as HotSpot's lists of classes have them (ClassListParser, JDK 17 to 23); "-": none is wanted, and classes are linked, since an AOT cache
	 * takes no others (JDK 24 on).
	 */
	static void again(byte[] names, ClassLoader loader, String lambdas) throws IOException {
		boolean link = lambdas.equals("-");
		Set<String> seen = new HashSet<>();
		try (FileOutputStream out = new FileOutputStream(link ? "/dev/null" : lambdas)) {
			for (int from = 0, to; from < names.length; from = to + 1) {
				for (to = from; to < names.length && names[to] != '\n'; to++)
					;
				String line = new String(names, from, to - from, StandardCharsets.UTF_8);
				boolean uses = line.startsWith("&");
				String name = uses ? line.substring(1) : line;
				if (!seen.add(line))
					continue;
				try {
					Class<?> c = Class.forName(name.replace('/', '.'), false, loader);
					if (link)
						c.getDeclaredConstructors(); // to ask for them links it, and does not initialise it
					else if (uses && (c.getClassLoader() == null || c.getClassLoader() == ClassLoader.getSystemClassLoader()))
						out.write(lambdasOf(name).getBytes(StandardCharsets.UTF_8));
				} catch (Throwable t) {
					// made while it ran, or not there any more
				}
			}
		}
	}

	/** Of each of its call sites that LambdaMetafactory makes a class for (JVMS 4.4, 4.7.23). */
	private static String lambdasOf(String name) throws IOException {
		try (InputStream in = ClassLoader.getSystemResourceAsStream(name + ".class")) {
			return in == null ? "" : new ClassFile(new DataInputStream(new BufferedInputStream(in))).lambdas(name);
		}
	}

	/** As far as call sites need it. */
	private static final class ClassFile {
		private final int[] tag, a, b;
		private final String[] text;
		private int[][] methods = {}; // bootstrap methods, each a handle and its arguments

		ClassFile(DataInputStream in) throws IOException {
			in.skipBytes(8);
			int n = in.readUnsignedShort();
			tag = new int[n];
			a = new int[n];
			b = new int[n];
			text = new String[n];
			for (int i = 1; i < n; i++)
				i = constant(in, i);
			in.skipBytes(6);
			in.skipBytes(2 * in.readUnsignedShort());
			for (int members = 0; members < 2; members++)
				for (int k = in.readUnsignedShort(); k > 0; k--) {
					in.skipBytes(6);
					attributes(in);
				}
			attributes(in);
		}

		private int constant(DataInputStream in, int i) throws IOException {
			tag[i] = in.readUnsignedByte();
			switch (tag[i]) {
			case 1:
				text[i] = in.readUTF();
				return i;
			case 3: case 4:
				in.skipBytes(4);
				return i;
			case 5: case 6:
				in.skipBytes(8);
				return i + 1;
			case 15:
				a[i] = in.readUnsignedByte();
				b[i] = in.readUnsignedShort();
				return i;
			case 7: case 8: case 16: case 19: case 20:
				a[i] = in.readUnsignedShort();
				return i;
			default:
				a[i] = in.readUnsignedShort();
				b[i] = in.readUnsignedShort();
				return i;
			}
		}

		private void attributes(DataInputStream in) throws IOException {
			for (int k = in.readUnsignedShort(); k > 0; k--) {
				String name = text[in.readUnsignedShort()];
				int length = in.readInt();
				if (!name.equals("BootstrapMethods")) {
					in.skipBytes(length);
					continue;
				}
				methods = new int[in.readUnsignedShort()][];
				for (int m = 0; m < methods.length; m++) {
					int handle = in.readUnsignedShort();
					methods[m] = new int[1 + in.readUnsignedShort()];
					methods[m][0] = handle;
					for (int i = 1; i < methods[m].length; i++)
						methods[m][i] = in.readUnsignedShort();
				}
			}
		}

		/** "name descriptor" */
		private String nameAndType(int i) {
			return text[a[i]] + " " + text[b[i]];
		}

		/** "class name descriptor", of what a handle leads to */
		private String member(int handle) {
			return text[a[a[b[handle]]]] + " " + nameAndType(b[b[handle]]);
		}

		String lambdas(String name) {
			StringBuilder lines = new StringBuilder();
			for (int i = 1; i < tag.length; i++) {
				int[] m = tag[i] == 18 ? methods[a[i]] : null;
				if (m == null || m.length != 4 || !member(m[0]).startsWith("java/lang/invoke/LambdaMetafactory metafactory ") || tag[m[2]] != 15)
					continue;
				lines.append("@lambda-proxy ").append(name).append(' ').append(nameAndType(b[i])).append(' ').append(text[a[m[1]]]).append(" REF_").append(KINDS[a[m[2]]]).append(' ')
					.append(member(m[2])).append(' ').append(text[a[m[3]]]).append('\n');
			}
			return lines.toString();
		}
	}
}
