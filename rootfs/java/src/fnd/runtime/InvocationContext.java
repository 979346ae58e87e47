package fnd.runtime;

import com.amazonaws.services.lambda.runtime.Client;
import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.CognitoIdentity;
import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaLogger;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** What a handler is told of its invocation. */
final class InvocationContext implements Context {
	private final Invocation invocation;
	private final ClientContext clientContext;
	private final CognitoIdentity identity;

	InvocationContext(Invocation i) throws Exception {
		invocation = i;
		clientContext = i.clientContext == null || i.clientContext.isEmpty() ? null : new GivenContext(object(i.clientContext));
		final Map<?, ?> id = i.identity == null || i.identity.isEmpty() ? null : object(i.identity);
		identity = id == null ? null : new CognitoIdentity() {
			@Override
			public String getIdentityId() {
				return text(id, "cognitoIdentityId");
			}

			@Override
			public String getIdentityPoolId() {
				return text(id, "cognitoIdentityPoolId");
			}
		};
	}

	private static Map<?, ?> object(String json) throws Exception {
		byte[] text = json.getBytes(StandardCharsets.UTF_8);
		return (Map<?, ?>) Decoder.decode(text, text.length, Map.class);
	}

	private static String text(Map<?, ?> of, String name) {
		Object value = of == null ? null : of.get(name);
		return value == null ? null : value.toString();
	}

	private static final class GivenContext implements ClientContext, Client {
		private final Map<?, ?> given, client;

		GivenContext(Map<?, ?> given) {
			this.given = given == null ? new LinkedHashMap<Object, Object>() : given;
			Object c = this.given.get("client");
			client = c instanceof Map ? (Map<?, ?>) c : null;
		}

		private Map<String, String> texts(String name) {
			Object all = given.get(name);
			if (!(all instanceof Map))
				return null;
			Map<String, String> out = new LinkedHashMap<String, String>();
			for (Map.Entry<?, ?> e : ((Map<?, ?>) all).entrySet())
				out.put(e.getKey().toString(), e.getValue() == null ? null : e.getValue().toString());
			return out;
		}

		@Override
		public Client getClient() {
			return client == null ? null : this;
		}

		@Override
		public Map<String, String> getCustom() {
			return texts("custom");
		}

		@Override
		public Map<String, String> getEnvironment() {
			return texts("env");
		}

		@Override
		public String getInstallationId() {
			return text(client, "installation_id");
		}

		@Override
		public String getAppTitle() {
			return text(client, "app_title");
		}

		@Override
		public String getAppVersionName() {
			return text(client, "app_version_name");
		}

		@Override
		public String getAppVersionCode() {
			return text(client, "app_version_code");
		}

		@Override
		public String getAppPackageName() {
			return text(client, "app_package_name");
		}
	}

	@Override
	public String getAwsRequestId() {
		return invocation.id;
	}

	@Override
	public String getLogGroupName() {
		return System.getenv("AWS_LAMBDA_LOG_GROUP_NAME");
	}

	@Override
	public String getLogStreamName() {
		return System.getenv("AWS_LAMBDA_LOG_STREAM_NAME");
	}

	@Override
	public String getFunctionName() {
		return System.getenv("AWS_LAMBDA_FUNCTION_NAME");
	}

	@Override
	public String getFunctionVersion() {
		return System.getenv("AWS_LAMBDA_FUNCTION_VERSION");
	}

	@Override
	public String getInvokedFunctionArn() {
		return invocation.arn;
	}

	@Override
	public CognitoIdentity getIdentity() {
		return identity;
	}

	@Override
	public ClientContext getClientContext() {
		return clientContext;
	}

	@Override
	public int getRemainingTimeInMillis() {
		return (int) Math.max(Integer.MIN_VALUE, Math.min(Integer.MAX_VALUE, invocation.deadlineMs - System.currentTimeMillis()));
	}

	@Override
	public int getMemoryLimitInMB() {
		return Integer.parseInt(System.getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"));
	}

	@Override
	public LambdaLogger getLogger() {
		return com.amazonaws.services.lambda.runtime.LambdaRuntime.getLogger();
	}

	@Override
	public String getTenantId() {
		return invocation.tenant;
	}

	@Override
	public String getXrayTraceId() {
		return invocation.trace;
	}
}
