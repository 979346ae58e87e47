import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The function that the image's archive of classes is made with: what it makes the runtime and Java load, no function has to load again. */
public class Trainee implements RequestHandler<Trainee.Event, Object> {
	public static class Event {
		private String name;
		private long number;
		private List<String> list;
		private Map<String, Object> any;
		public boolean fail;

		public String getName() {
			return name;
		}

		public void setName(String name) {
			this.name = name;
		}

		public long getNumber() {
			return number;
		}

		public void setNumber(long number) {
			this.number = number;
		}

		public List<String> getList() {
			return list;
		}

		public void setList(List<String> list) {
			this.list = list;
		}

		public Map<String, Object> getAny() {
			return any;
		}

		public void setAny(Map<String, Object> any) {
			this.any = any;
		}
	}

	@Override
	public Object handleRequest(Event event, Context context) {
		System.out.println("a line of " + event.getName() + " with " + event.getNumber());
		context.getLogger().log("a message\n");
		if (event.fail)
			throw new IllegalStateException("told");
		Map<String, Object> result = new HashMap<>();
		result.put("event", event);
		result.put("left", context.getRemainingTimeInMillis());
		return result;
	}
}
