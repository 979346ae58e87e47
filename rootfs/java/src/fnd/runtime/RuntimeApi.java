package fnd.runtime;

import java.io.EOFException;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The Runtime API (2018-06-01) over one connection. java.net's HTTP clients cost a cold start tens of milliseconds of classes, its Socket more than ten: this is a
 * descriptor (ahead.c), read and written as a file's. A result and the request for the next event leave in one packet, and are answered by one.
 */
final class RuntimeApi {
	private static final String PATH = "/2018-06-01/runtime/";
	private static final int TOGETHER_MAX = 65536; // bytes: with more, head and body are written one after the other rather than copied

	private static final int READ_MAX = 65536;     // bytes: what Java reads at once from a descriptor, it allocates first

	private final String host;
	private final FileInputStream in;
	private final FileOutputStream out;
	private byte[] data = new byte[8192];
	private int from, to;      // of what has been read and not been used
	private boolean asked;     // `next` has been written
	private int status, length;

	RuntimeApi(String address) throws IOException {
		int colon = address.lastIndexOf(':');
		FileDescriptor fd = new FileDescriptor();
		System.load("/var/runtime/libfnd_ahead.so");
		int error = connect0(fd, address.substring(0, colon), Integer.parseInt(address.substring(colon + 1)));
		if (error != 0)
			throw new IOException("the Runtime API at " + address + " cannot be reached: error " + error);
		host = address;
		in = new FileInputStream(fd);
		out = new FileOutputStream(fd);
	}

	/** Has fd be that of a connection; returns 0 or what errno says. */
	private static native int connect0(FileDescriptor fd, String address, int port);

	Invocation next() throws IOException {
		if (!asked)
			out.write(request("GET", "invocation/next", "", -1));
		asked = false;
		Invocation i = new Invocation();
		i.deadlineMs = Long.MAX_VALUE;
		head(i);
		i.event = body();
		if (status != 200)
			throw new IOException("next: the Runtime API answers " + status + " " + new String(i.event, StandardCharsets.UTF_8));
		return i;
	}

	/** The result of an invocation; thenNext: and asks for the next one. */
	void respond(String id, byte[] result, int n, boolean thenNext) throws IOException {
		post("invocation/" + id + "/response", "Content-Type: application/json\r\n", result, n, thenNext);
	}

	/** fnd's own (lib/runtime/rtapi.h): names of classes, one a line. */
	void tellLoaded(byte[] names) throws IOException {
		post("snapshot/loaded", "", names, names.length, false);
	}

	/** What another process of the function has told; none: nothing. */
	byte[] loaded() throws IOException {
		out.write(request("GET", "snapshot/loaded", "", -1));
		head(null);
		byte[] names = body();
		return status == 200 ? names : new byte[0];
	}

	void fail(String id, String type, byte[] error, boolean thenNext) throws IOException {
		post("invocation/" + id + "/error", errorHeaders(type), error, error.length, thenNext);
	}

	void failInit(String type, byte[] error) throws IOException {
		post("init/error", errorHeaders(type), error, error.length, false);
	}

	void failRestore(String type, byte[] error) throws IOException {
		post("restore/error", errorHeaders(type), error, error.length, false);
	}

	/** SnapStart's: returns when the environment has been restored; false: this platform has no such thing. */
	boolean restoreNext() throws IOException {
		out.write(request("GET", "restore/next", "", -1));
		head(null);
		body();
		return status == 200;
	}

	private static String errorHeaders(String type) {
		return "Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: " + type + "\r\n";
	}

	private byte[] request(String method, String path, String headers, int length) {
		String text = method + " " + PATH + path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: fnd-java/1\r\n" + headers
			+ (length >= 0 ? "Content-Length: " + length + "\r\n\r\n" : "\r\n");
		return text.getBytes(StandardCharsets.ISO_8859_1);
	}

	private void post(String path, String headers, byte[] body, int n, boolean thenNext) throws IOException {
		byte[] head = request("POST", path, headers, n), next = thenNext ? request("GET", "invocation/next", "", -1) : new byte[0];
		if (n <= TOGETHER_MAX) {
			byte[] all = Arrays.copyOf(head, head.length + n + next.length);
			System.arraycopy(body, 0, all, head.length, n);
			System.arraycopy(next, 0, all, head.length + n, next.length);
			out.write(all);
		} else {
			out.write(head);
			out.write(body, 0, n);
			out.write(next);
		}
		asked = thenNext;
		head(null);
		body(); // too large, or too late: whom it was for has been told
	}

	// --- what is answered -------------------------------------------------------------------------------------------------------------
	private int fill() throws IOException {
		if (from == to)
			from = to = 0;
		if (to == data.length)
			data = Arrays.copyOf(data, data.length * 2);
		int n = in.read(data, to, Math.min(data.length - to, READ_MAX));
		if (n < 0)
			throw new EOFException("the Runtime API has closed the connection");
		to += n;
		return n;
	}

	/** A line without its end. */
	private String line() throws IOException {
		int at = from;
		while (true) {
			for (; at < to; at++)
				if (data[at] == '\n') {
					int end = at > from && data[at - 1] == '\r' ? at - 1 : at;
					String s = new String(data, from, end - from, StandardCharsets.UTF_8);
					from = at + 1;
					return s;
				}
			int read = at - from;
			fill();
			at = from + read;
		}
	}

	private void head(Invocation i) throws IOException {
		String first = line();
		if (first.length() < 12 || !first.startsWith("HTTP/1.1 "))
			throw new IOException("no answer of HTTP: " + first);
		status = Integer.parseInt(first.substring(9, 12));
		length = 0;
		for (String s = line(); !s.isEmpty(); s = line()) {
			int colon = s.indexOf(':');
			if (colon > 0)
				header(s.substring(0, colon), s.substring(colon + 1).trim(), i);
		}
	}

	private void header(String name, String value, Invocation i) {
		if (name.equalsIgnoreCase("Content-Length"))
			length = Integer.parseInt(value);
		if (i == null || !name.regionMatches(true, 0, "Lambda-Runtime-", 0, 15))
			return;
		name = name.substring(15);
		if (name.equalsIgnoreCase("Aws-Request-Id"))
			i.id = value;
		else if (name.equalsIgnoreCase("Deadline-Ms"))
			i.deadlineMs = Long.parseLong(value);
		else if (name.equalsIgnoreCase("Invoked-Function-Arn"))
			i.arn = value;
		else if (name.equalsIgnoreCase("Trace-Id"))
			i.trace = value;
		else if (name.equalsIgnoreCase("Client-Context"))
			i.clientContext = value;
		else if (name.equalsIgnoreCase("Cognito-Identity"))
			i.identity = value;
		else if (name.equalsIgnoreCase("Aws-Tenant-Id"))
			i.tenant = value;
		else if (name.equalsIgnoreCase("Loaded-Classes"))
			i.wantsLoaded = true;
	}

	private byte[] body() throws IOException {
		byte[] body = new byte[length];
		int have = Math.min(length, to - from);
		System.arraycopy(data, from, body, 0, have);
		from += have;
		while (have < length) {
			int n = in.read(body, have, Math.min(length - have, READ_MAX));
			if (n < 0)
				throw new EOFException("the Runtime API has closed the connection");
			have += n;
		}
		return body;
	}
}
