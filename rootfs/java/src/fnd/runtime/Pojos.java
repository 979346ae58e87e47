package fnd.runtime;

import com.amazonaws.services.lambda.runtime.serialization.PojoSerializer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** The runtime's own way from JSON and back, for whom a function has it called by (LambdaEventSerializers). */
public final class Pojos<T> implements PojoSerializer<T> {
	private static final String EVENTS = "com.amazonaws.services.lambda.runtime.events.";

	private final Class<T> type;

	public Pojos(Class<T> type) {
		this.type = type;
	}

	/** Is it an event as a whole, of aws-lambda-java-events or of what that had S3's from before? */
	public static boolean isEvent(String name) {
		if (name.equals("com.amazonaws.services.s3.event.S3EventNotification") || name.equals(EVENTS + "models.s3.S3EventNotification"))
			return true;
		return name.startsWith(EVENTS) && name.indexOf('.', EVENTS.length()) < 0 && name.indexOf('$') < 0;
	}

	@Override
	public T fromJson(InputStream input) {
		ByteArrayOutputStream all = new ByteArrayOutputStream();
		byte[] some = new byte[8192];
		try {
			for (int n; (n = input.read(some)) >= 0; )
				all.write(some, 0, n);
		} catch (IOException e) {
			throw new UncheckedIOException(e);
		}
		return decode(all.toByteArray());
	}

	@Override
	public T fromJson(String input) {
		return decode(input.getBytes(StandardCharsets.UTF_8));
	}

	@SuppressWarnings("unchecked") // a primitive's class is nobody's
	private T decode(byte[] text) {
		try {
			return (T) Decoder.decode(text, text.length, type);
		} catch (Exception e) {
			throw failed(e);
		}
	}

	@Override
	public void toJson(T value, OutputStream output) {
		JsonOut out = new JsonOut(1024);
		try {
			Encoder.encode(value, type, out);
			output.write(out.data(), 0, out.length());
		} catch (Exception e) {
			throw failed(e);
		}
	}

	private static UncheckedIOException failed(Exception e) {
		return new UncheckedIOException(e instanceof IOException ? (IOException) e : new IOException(e.getMessage(), e));
	}
}
