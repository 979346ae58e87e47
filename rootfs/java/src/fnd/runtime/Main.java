package fnd.runtime;

import com.amazonaws.services.lambda.crac.Core;
import com.amazonaws.services.lambda.runtime.LambdaRuntimeInternal;

import java.io.IOError;
import java.io.IOException;

/**
 * The Java runtime: takes events from the Runtime API, calls the handler, posts what it returns. For Java 8 and later, without dependencies but the interfaces
 * of aws-lambda-java-core. No lambdas, no streams, no formatters on the way to the first event: each costs a cold start its classes.
 */
public final class Main {
	private static final String TRACE = "com.amazonaws.xray.traceHeader"; // where AWS's X-Ray SDK looks for it
	private static final String TASK = "/var/task", LAYERS = "/opt/java";
	private static final String[] CHANGERS = {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "AWS_LAMBDA_EXEC_WRAPPER"}; // of the class path: agents

	private final RuntimeApi api;
	private final Logger logger;
	private final Result result = new Result();
	private Handler handler;

	private Main(RuntimeApi api) {
		this.api = api;
		logger = new Logger(System.getenv("AWS_LAMBDA_LOG_FORMAT"), System.getenv("AWS_LAMBDA_LOG_LEVEL"));
	}

	public static void main(String[] arguments) throws Throwable {
		boolean training = arguments[0].equals("train");
		if (!training && !arguments[0].equals("no")) // a descriptor
			Ahead.await(Integer.parseInt(arguments[0]));
		try {
			new Main(new RuntimeApi(System.getenv("AWS_LAMBDA_RUNTIME_API"))).run(training ? arguments[1] : null);
		} catch (Throwable t) { // threads of the function's would go on, and nobody ask for events
			t.printStackTrace();
			Runtime.getRuntime().halt(1);
		}
	}

	static void setUp(Logger logger) throws Exception {
		Output.install();
		LambdaRuntimeInternal.setLogger(logger);
		System.setProperty("org.crac.Core.Compat", "com.amazonaws.services.lambda.crac");
	}

	/** The virtual machine's own, where its class path has the function's archives behind the runtime's: that is how an archive of their classes is begun from. */
	private static ClassLoader loader() {
		ClassLoader system = ClassLoader.getSystemClassLoader();
		String task = System.getenv("LAMBDA_TASK_ROOT");
		if (System.getProperty("java.class.path").indexOf(':') >= 0)
			return system;
		boolean more = false;
		for (String name : CHANGERS)
			more |= System.getenv(name) != null;
		return new FunctionLoader(task == null ? TASK : task, LAYERS, system, more);
	}

	/** lambdas: training, up to the first event, for the classes that are loaded until then, what an invocation needs of the runtime itself, and what one has loaded; else null. */
	private void run(String lambdas) throws Throwable {
		setUp(logger);
		ClassLoader loader = loader();
		Thread.currentThread().setContextClassLoader(loader);
		try {
			handler = new HandlerLoader(loader).load(String.valueOf(System.getenv("_HANDLER")));
		} catch (Fault f) {
			log(f);
			api.failInit("Runtime.BadFunctionCode", Fault.describe(f));
			exit(1);
		}
		if (lambdas != null) {
			Ahead.rehearse();
			Loaded.again(api.loaded(), loader, lambdas);
			exit(0);
		}
		if ("snap-start".equals(System.getenv("AWS_LAMBDA_INITIALIZATION_TYPE")))
			checkpoint();
		for (boolean last = false; !last; ) {
			Invocation i = api.next();
			last = serve(i);
			if (!last && i.wantsLoaded)
				api.tellLoaded(Loaded.names());
		}
		exit(1);
	}

	private static void exit(int status) {
		System.exit(status);
	}

	private void log(Throwable t) {
		logger.log(Fault.text(t), logger.json ? com.amazonaws.services.lambda.runtime.logging.LogLevel.ERROR : com.amazonaws.services.lambda.runtime.logging.LogLevel.UNDEFINED);
	}

	/** SnapStart's contract: what the function registered with org.crac is told before and after. A platform that restores nothing says so by its answer. */
	private void checkpoint() throws IOException {
		try {
			Core.getGlobalContext().beforeCheckpoint(null);
			api.restoreNext();
		} catch (Exception e) {
			Fault.trim(e);
			log(e);
			api.failInit("Runtime.BeforeCheckpointError", Fault.describe(e));
			exit(64);
		}
		try {
			Core.getGlobalContext().afterRestore(null);
		} catch (Exception e) {
			Fault.trim(e);
			log(e);
			api.failRestore("Runtime.AfterRestoreError", Fault.describe(e));
			exit(64);
		}
	}

	/** Has what was thrown left this process in no state to go on? */
	private boolean serve(Invocation i) throws IOException {
		if (i.trace != null)
			System.setProperty(TRACE, i.trace);
		else
			System.clearProperty(TRACE);
		logger.current = i;
		result.text.clear();
		try {
			if (LambdaRuntimeInternal.getUseLog4jAppender())
				Log4j.put(i.id);
			handler.call(i.event, new InvocationContext(i), result);
		} catch (Throwable t) {
			boolean last = t instanceof VirtualMachineError || t instanceof IOError || t instanceof Fault && ((Fault) t).fatal;
			Fault.trim(t);
			log(t);
			Thread.interrupted();
			api.fail(i.id, t instanceof Fault ? "Runtime.BadFunctionCode" : "Runtime.UserException", Fault.describe(t), !last && !i.wantsLoaded);
			return last;
		}
		Thread.interrupted(); // the function's, not the next invocation's
		api.respond(i.id, result.text.data(), result.text.length(), !i.wantsLoaded);
		return false;
	}
}
