package fnd.runtime;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;

import java.util.List;
import java.util.Map;

/** A function like most others, to have all loaded that one needs. */
public final class Rehearsal implements RequestHandler<Map<String, Object>, Object> {
	public static final class Event {
		private List<Object> a;
		private String b;

		public List<Object> getA() {
			return a;
		}

		public void setA(List<Object> a) {
			this.a = a;
		}

		public String getB() {
			return b;
		}

		public void setB(String b) {
			this.b = b;
		}
	}

	@Override
	public Object handleRequest(Map<String, Object> event, Context context) {
		context.getRemainingTimeInMillis();
		return event;
	}

	public String method(Map<String, Object> event, Context context) {
		return context.getAwsRequestId();
	}

	public Event bean(Event event) {
		return event;
	}
}
