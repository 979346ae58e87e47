package fnd.runtime;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UnsupportedEncodingException;

/**
 * Where the function's output goes: descriptors 1 and 2, pipes of which each line becomes an event of the log. What is printed is written at once, or a
 * time-out, Runtime.halt() or the end for memory would lose it.
 */
final class Output {
	private static final class Through extends OutputStream {
		private final FileOutputStream to;

		Through(FileDescriptor fd) {
			to = new FileOutputStream(fd);
		}

		@Override
		public void write(int b) throws IOException {
			to.write(b);
		}

		@Override
		public void write(byte[] data, int from, int n) throws IOException {
			to.write(data, from, n);
		}

		@Override
		public void close() {
			// the descriptor is everybody's
		}
	}

	private Output() {
	}

	static void install() throws UnsupportedEncodingException {
		System.setOut(new PrintStream(new Through(FileDescriptor.out), false, "UTF-8"));
		System.setErr(new PrintStream(new Through(FileDescriptor.err), false, "UTF-8"));
	}

	/**
	 * One event, however many lines it has: within it a line ends with a carriage return, and before it are two bytes that no text has, for something may have
	 * been printed without a newline. Whatever the function has made of System.out.
	 */
	static void event(byte[] message) {
		int n = message.length;
		if (n > 0 && message[n - 1] == '\n')
			n--;
		byte[] line = new byte[n + 3];
		line[0] = (byte) 0xf8;
		line[1] = (byte) 0xff;
		for (int i = 0; i < n; i++)
			line[i + 2] = message[i] == '\n' ? (byte) '\r' : message[i];
		line[n + 2] = '\n';
		try {
			STDOUT.write(line, 0, line.length);
		} catch (IOException e) {
			// the function has closed it
		}
	}

	private static final OutputStream STDOUT = new Through(FileDescriptor.out);
}
