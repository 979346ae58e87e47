package fnd.runtime;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/**
 * Begun before there was a function (fnd's lib/sandbox/spec.h has the protocol): the virtual machine has started, and what every function needs has been loaded
 * and run once. Nothing reads the environment before await() returns: Java keeps what it finds the first time.
 */
final class Ahead {
	private Ahead() {
	}

	static void await(int fd) throws Throwable {
		rehearse();
		System.load("/var/runtime/libfnd_ahead.so");
		await0(fd);
		System.setProperty("sun.java.command", System.getProperty("sun.java.command").replaceFirst(" [0-9]+$", " no"));
	}

	/** Waits for the function's environment, makes it the process's, and goes to its directory; ends the process if none comes. */
	private static native void await0(int fd);

	/** Loads what an invocation needs by going through one. */
	static void rehearse() throws Throwable {
		try (Socket s = new Socket()) { // nobody listens there
			s.setTcpNoDelay(true);
			s.connect(new InetSocketAddress("127.0.0.1", 1));
		} catch (IOException e) {
			// its classes are there
		}
		Logger logger = new Logger(null, null);
		Invocation i = new Invocation();
		i.id = "";
		i.deadlineMs = Long.MAX_VALUE;
		Logger.now();
		FunctionLoader loader = new FunctionLoader("/var/runtime/none", "/var/runtime/none", ClassLoader.getSystemClassLoader(), false);
		HandlerLoader handlers = new HandlerLoader(loader);
		byte[] event = "{\"a\":[1,2.5,\"\\u00e4\",true,null],\"b\":\"c\"}".getBytes(StandardCharsets.UTF_8);
		Result result = new Result();
		for (String name : new String[] {Rehearsal.class.getName(), Rehearsal.class.getName() + "::method", Rehearsal.class.getName() + "::bean"}) {
			handlers.load(name).call(event, new InvocationContext(i), result);
			result.text.clear();
		}
		logger.current = i;
	}
}
