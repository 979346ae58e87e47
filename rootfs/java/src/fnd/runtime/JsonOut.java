package fnd.runtime;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** A JSON text in UTF-8 that grows. */
final class JsonOut {
	private static final char[] HEX = "0123456789ABCDEF".toCharArray();

	private byte[] data;
	private int length;

	JsonOut(int size) {
		data = new byte[size];
	}

	byte[] data() {
		return data;
	}

	int length() {
		return length;
	}

	void clear() {
		length = 0;
		if (data.length > 1 << 20)
			data = new byte[1024];
	}

	private void room(int n) {
		if (data.length - length < n)
			data = Arrays.copyOf(data, Math.max(data.length * 2, length + n));
	}

	JsonOut raw(char c) {
		room(1);
		data[length++] = (byte) c;
		return this;
	}

	/** ASCII, as it is. */
	@SuppressWarnings("deprecation")
	JsonOut raw(String s) {
		int n = s.length();
		room(n);
		s.getBytes(0, n, data, length);
		length += n;
		return this;
	}

	JsonOut bytes(byte[] b, int from, int n) {
		room(n);
		System.arraycopy(b, from, data, length, n);
		length += n;
		return this;
	}

	/** A string, with its quotes. */
	JsonOut string(String s) {
		int n = s.length();
		room(n * 3 + 2);
		data[length++] = '"';
		for (int i = 0; i < n; i++) {
			char c = s.charAt(i);
			if (c <= 0x7f && c >= ' ' && c != '"' && c != '\\')
				data[length++] = (byte) c;
			else if (c < 0x80)
				escape(c, n - i);
			else if (c < 0x800) {
				data[length++] = (byte) (0xc0 | c >> 6);
				data[length++] = (byte) (0x80 | c & 0x3f);
			} else if (Character.isHighSurrogate(c) && i + 1 < n && Character.isLowSurrogate(s.charAt(i + 1))) {
				int code = Character.toCodePoint(c, s.charAt(++i));
				data[length++] = (byte) (0xf0 | code >> 18);
				data[length++] = (byte) (0x80 | code >> 12 & 0x3f);
				data[length++] = (byte) (0x80 | code >> 6 & 0x3f);
				data[length++] = (byte) (0x80 | code & 0x3f);
			} else if (Character.isSurrogate(c)) {
				unicode(c, n - i); // half of a pair has no form in UTF-8
			} else {
				data[length++] = (byte) (0xe0 | c >> 12);
				data[length++] = (byte) (0x80 | c >> 6 & 0x3f);
				data[length++] = (byte) (0x80 | c & 0x3f);
			}
		}
		return raw('"');
	}

	/** Needs more room than there has been made; `left` characters are to come, this one included. */
	private void escape(char c, int left) {
		room(left * 3 + 8);
		data[length++] = '\\';
		switch (c) {
		case '"': data[length++] = '"'; return;
		case '\\': data[length++] = '\\'; return;
		case '\b': data[length++] = 'b'; return;
		case '\t': data[length++] = 't'; return;
		case '\n': data[length++] = 'n'; return;
		case '\f': data[length++] = 'f'; return;
		case '\r': data[length++] = 'r'; return;
		default:
			length--;
			unicode(c, left);
		}
	}

	private void unicode(char c, int left) {
		raw("\\u").raw(HEX[c >> 12]).raw(HEX[c >> 8 & 15]).raw(HEX[c >> 4 & 15]).raw(HEX[c & 15]);
		room((left - 1) * 3 + 2);
	}

	@Override
	public String toString() {
		return new String(data, 0, length, StandardCharsets.UTF_8);
	}
}
