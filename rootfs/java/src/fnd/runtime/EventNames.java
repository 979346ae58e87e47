package fnd.runtime;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What the members of aws-lambda-java-events are called in the events, where their names in Java do not say it: facts of aws-lambda-java-serialization
 * ("mixins"), release 1.4. Classes of the AWS SDK that events of older releases were made of have the same ones.
 */
final class EventNames {
	private static final String EVENTS = "com.amazonaws.services.lambda.runtime.events.";
	private static final String[] PREFIXES = {EVENTS + "models.dynamodb.", EVENTS, "com.amazonaws.services.dynamodbv2.model."};

	/** "Class", then "property in Java=name in JSON"...; a name without a property is that property with a capital. */
	private static final String[][] NAMES = {
		{"CloudFormationCustomResourceEvent", "RequestType", "ServiceToken", "PhysicalResourceId", "responseUrl=ResponseURL", "StackId", "RequestId",
			"LogicalResourceId", "ResourceType", "ResourceProperties", "OldResourceProperties"},
		{"CloudFrontEvent", "Records"},
		{"CloudWatchLogsEvent", "awsLogs=awslogs"},
		{"CodeCommitEvent", "Records"},
		{"CodeCommitEvent$Record", "codeCommit=codecommit", "eventSourceArn=eventSourceARN", "userIdentityArn=userIdentityARN"},
		{"ConnectEvent", "Details", "Name"},
		{"ConnectEvent$Details", "ContactData", "Parameters"},
		{"ConnectEvent$ContactData", "Attributes", "Channel", "ContactId", "CustomerEndpoint", "InitialContactId", "InitiationMethod", "instanceArn=InstanceARN",
			"PreviousContactId", "Queue", "SystemEndpoint"},
		{"ConnectEvent$CustomerEndpoint", "Address", "Type"},
		{"ConnectEvent$SystemEndpoint", "Address", "Type"},
		{"ConnectEvent$Queue", "Name"},
		{"DynamodbEvent", "Records"},
		{"DynamodbTimeWindowEvent", "Records", "eventSourceArn=eventSourceARN"},
		{"DynamodbEvent$DynamodbStreamRecord", "eventSourceArn=eventSourceARN"},
		{"StreamRecord", "Keys", "SizeBytes", "SequenceNumber", "StreamViewType", "NewImage", "OldImage", "ApproximateCreationDateTime"},
		{"AttributeValue", "S", "N", "B", "M", "L"},
		{"KinesisEvent", "Records"},
		{"KinesisTimeWindowEvent", "Records", "eventSourceArn=eventSourceARN"},
		{"ScheduledEvent", "detailType=detail-type"},
		{"SecretsManagerRotationEvent", "Step", "SecretId", "ClientRequestToken", "RotationToken"},
		{"SNSEvent", "Records"},
		{"SNSEvent$SNSRecord", "SNS=Sns", "sns=Sns"},
		{"SQSEvent", "Records"},
		{"SQSEvent$SQSMessage", "eventSourceArn=eventSourceARN"},
	};

	private EventNames() {
	}

	/** Is it of the library? Then its dates are seconds. */
	static boolean isEvent(Class<?> type) {
		return type.getName().startsWith(EVENTS) || type.getName().startsWith(PREFIXES[2]);
	}

	static void rename(Class<?> type, Map<String, Bean.Property> found) {
		if (!type.getName().startsWith("com.amazonaws.services."))
			return;
		boolean pascal = false;
		Map<String, String> names = new LinkedHashMap<String, String>();
		for (Class<?> c = type; c != null && c != Object.class; c = c.getSuperclass()) { // a time window's event is an event besides
			String name = simple(c.getName());
			pascal |= name.startsWith("SNSEvent");
			for (String[] rule : NAMES)
				if (rule[0].equals(name))
					for (int i = 1; i < rule.length; i++) {
						int equals = rule[i].indexOf('=');
						String json = rule[i].substring(equals + 1);
						names.put(equals < 0 ? Character.toLowerCase(json.charAt(0)) + json.substring(1) : rule[i].substring(0, equals), json);
					}
		}
		if (names.isEmpty() && !pascal)
			return;
		Map<String, Bean.Property> old = new LinkedHashMap<String, Bean.Property>(found);
		found.clear();
		for (Map.Entry<String, Bean.Property> e : old.entrySet()) {
			String name = names.get(e.getKey());
			if (name == null)
				name = pascal ? Character.toUpperCase(e.getKey().charAt(0)) + e.getKey().substring(1) : e.getKey();
			join(found, name, e.getValue());
		}
	}

	private static String simple(String name) {
		for (String prefix : PREFIXES)
			if (name.startsWith(prefix))
				return name.substring(prefix.length());
		return name;
	}

	/** getSNS() and setSns() are one property. */
	private static void join(Map<String, Bean.Property> found, String name, Bean.Property p) {
		Bean.Property there = found.get(name);
		p.name = name;
		if (there == null) {
			found.put(name, p);
			return;
		}
		if (there.getter == null)
			there.getter = p.getter;
		if (there.setter == null && p.setter != null) {
			there.setter = p.setter;
			there.type = p.type;
		}
		if (there.field == null && p.field != null) {
			there.field = p.field;
			if (there.type == null)
				there.type = p.type;
		}
	}
}
