package fnd.runtime;

import java.io.OutputStream;

/** What a handler answers with: a stream that is only memory. */
final class Result extends OutputStream {
	final JsonOut text = new JsonOut(1024);
	private final byte[] one = new byte[1];

	@Override
	public void write(int b) {
		one[0] = (byte) b;
		text.bytes(one, 0, 1);
	}

	@Override
	public void write(byte[] b, int from, int n) {
		if (from < 0 || n < 0 || n > b.length - from)
			throw new IndexOutOfBoundsException();
		text.bytes(b, from, n);
	}
}
