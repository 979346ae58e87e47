package fnd.runtime;

import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** A JSON text in UTF-8, read by who knows what it wants: RFC 8259, and what Jackson takes for numbers besides (NaN). */
final class Json {
	static final class SyntaxException extends IOException {
		private static final long serialVersionUID = 1L;

		SyntaxException(String message) {
			super(message);
		}
	}

	private static final int DEPTH_MAX = 1000, NUMBER_MAX = 1000; // as Jackson's; a number of a million digits takes minutes to convert

	private final byte[] text;
	private final int end;
	private int at, depth;

	Json(byte[] text, int length) {
		this.text = text;
		this.end = length;
	}

	/** The first byte of the next value: one of { [ " t f n, '0' for a number, -1 at the end. */
	int peek() throws SyntaxException {
		while (at < end) {
			int c = text[at];
			if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
				at++;
			else
				return c == '-' || c >= '0' && c <= '9' || c == 'N' || c == 'I' ? '0' : c;
		}
		return -1;
	}

	boolean isNull() throws SyntaxException {
		if (peek() != 'n')
			return false;
		word("null");
		return true;
	}

	boolean bool() throws SyntaxException {
		boolean yes = peek() == 't';
		word(yes ? "true" : "false");
		return yes;
	}

	private void word(String w) throws SyntaxException {
		for (int i = 0; i < w.length(); i++, at++)
			if (at >= end || text[at] != w.charAt(i))
				throw error("a value expected");
	}

	/** As it is written. */
	String number() throws SyntaxException {
		if (peek() != '0')
			throw error("a number expected");
		int from = at;
		if (text[at] == '-')
			at++;
		if (at < end && (text[at] == 'N' || text[at] == 'I'))
			word(text[at] == 'N' ? "NaN" : "Infinity");
		else {
			digits();
			if (at < end && text[at] == '.') {
				at++;
				digits();
			}
			if (at < end && (text[at] == 'e' || text[at] == 'E')) {
				at++;
				if (at < end && (text[at] == '+' || text[at] == '-'))
					at++;
				digits();
			}
		}
		if (at - from > NUMBER_MAX)
			throw error("a number longer than " + NUMBER_MAX);
		return new String(text, from, at - from, StandardCharsets.ISO_8859_1);
	}

	private void digits() throws SyntaxException {
		int from = at;
		while (at < end && text[at] >= '0' && text[at] <= '9')
			at++;
		if (at == from)
			throw error("a digit expected");
	}

	String string() throws SyntaxException {
		if (peek() != '"')
			throw error("a string expected");
		int from = ++at;
		while (at < end && text[at] != '"' && text[at] != '\\')
			at++;
		if (at < end && text[at] == '"')
			return new String(text, from, at++ - from, StandardCharsets.UTF_8);
		StringBuilder s = new StringBuilder(2 * (at - from) + 32);
		while (true) {
			s.append(new String(text, from, at - from, StandardCharsets.UTF_8));
			if (at >= end)
				throw error("the string has no end");
			if (text[at++] == '"')
				return s.toString();
			s.append(escaped());
			from = at;
			while (at < end && text[at] != '"' && text[at] != '\\')
				at++;
		}
	}

	/** Then it has been read. */
	boolean isEmptyString() {
		if (at + 1 >= end || text[at] != '"' || text[at + 1] != '"')
			return false;
		at += 2;
		return true;
	}

	private char escaped() throws SyntaxException {
		if (at >= end)
			throw error("the string has no end");
		int c = text[at++];
		switch (c) {
		case 'b': return '\b';
		case 't': return '\t';
		case 'n': return '\n';
		case 'f': return '\f';
		case 'r': return '\r';
		case 'u':
			int code = 0;
			for (int i = 0; i < 4; i++) {
				int digit = at < end ? Character.digit(text[at++], 16) : -1;
				if (digit < 0)
					throw error("four hexadecimal digits expected");
				code = code * 16 + digit;
			}
			return (char) code;
		default:
			return (char) c;
		}
	}

	/** Before the first element of an array ('[') or an object ('{'). */
	void begin(char bracket) throws SyntaxException {
		if (peek() != bracket)
			throw error(bracket == '{' ? "an object expected" : "an array expected");
		if (++depth > DEPTH_MAX)
			throw error("nested deeper than " + DEPTH_MAX);
		at++;
	}

	/** Is there another element? `first`: none has been read. With none left the closing bracket is read, too. */
	boolean more(boolean first, char closing) throws SyntaxException {
		int c = peek();
		if (c == closing) {
			at++;
			depth--;
			return false;
		}
		if (first)
			return true;
		if (c != ',')
			throw error("',' or '" + closing + "' expected");
		at++;
		return true;
	}

	String name() throws SyntaxException {
		String name = string();
		if (peek() != ':')
			throw error("':' expected");
		at++;
		return name;
	}

	void skip() throws SyntaxException {
		switch (peek()) {
		case '{':
			begin('{');
			for (boolean first = true; more(first, '}'); first = false) {
				name();
				skip();
			}
			break;
		case '[':
			begin('[');
			for (boolean first = true; more(first, ']'); first = false)
				skip();
			break;
		case '"': string(); break;
		case '0': number(); break;
		case 'n': isNull(); break;
		default: bool();
		}
	}

	/** Nothing else may come. */
	void finish() throws SyntaxException {
		if (peek() != -1)
			throw error("the end expected");
	}

	SyntaxException error(String what) {
		int line = 1, column = 1;
		for (int i = 0; i < at && i < end; i++)
			if (text[i] == '\n') {
				line++;
				column = 1;
			} else {
				column++;
			}
		return new SyntaxException(what + " at line " + line + ", column " + column);
	}
}
