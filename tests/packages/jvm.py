"""Java from Maven's repository in the managed runtimes: AWS's own libraries beside this runtime's, and frameworks through their adapters."""
import glob, json, os, shutil, zipfile

from cases import Case, equal, request

HERE = os.path.dirname(os.path.abspath(__file__))


def text(name):
    with open(os.path.join(HERE, "java", name)) as f:
        return f.read()


def pom(dependencies, release=17, parent=""):
    """`dependencies`: "group:artifact:version"; without a version it is the parent's."""
    listed = "".join("<dependency>" + "".join(f"<{k}>{v}</{k}>" for k, v in zip(("groupId", "artifactId", "version"), d.split(":"))) + "</dependency>\n" for d in dependencies)
    return f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>{parent}<groupId>app</groupId><artifactId>app</artifactId><version>1</version>
<properties><maven.compiler.source>{release}</maven.compiler.source><maven.compiler.target>{release}</maven.compiler.target><project.build.sourceEncoding>UTF-8</project.build.sourceEncoding></properties>
<dependencies>
{listed}</dependencies>
<build><plugins><plugin><groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId><version>3.6.1</version><executions><execution><phase>package</phase><goals><goal>copy-dependencies</goal></goals><configuration><includeScope>runtime</includeScope></configuration></execution></executions></plugin></plugins></build>
</project>
"""


def packaged(directory, run):
    """lib/ with the function's jar and what it needs."""
    run(["mvn", "-q", "-B", "package"], directory)
    os.makedirs(os.path.join(directory, "lib"))
    for jar in glob.glob(os.path.join(directory, "target/*.jar")) + glob.glob(os.path.join(directory, "target/dependency/*.jar")):
        shutil.move(jar, os.path.join(directory, "lib"))
    shutil.rmtree(os.path.join(directory, "target"))


def with_classes(directory, run):
    """The same, and the names of the classes of aws-lambda-java-events, for the function to go through; parts of events by themselves are nobody's input."""
    packaged(directory, run)
    with zipfile.ZipFile(glob.glob(os.path.join(directory, "lib/aws-lambda-java-events-[0-9]*.jar"))[0]) as z:
        names = sorted(n.removesuffix(".class").replace("/", ".") for n in z.namelist() if n.endswith(".class") and "$" not in n and "/models/" not in n)
    with open(os.path.join(directory, "classes.txt"), "w") as f:
        f.write("\n".join(names))


def no_difference(answers, log):
    found = dict(answers[0])
    assert found.pop("compared") > 240, found
    assert not found, json.dumps(found, indent=1)[:4000]


SPRING = {"src/main/java/app/Application.java": """package app;

import java.util.Map;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.web.bind.annotation.*;

@SpringBootApplication
@RestController
public class Application {
	public record Greeting(String text, int length) { }

	@GetMapping("/hello/{name}")
	public Greeting hello(@PathVariable("name") String name, @RequestParam(name = "end", defaultValue = "!") String end) {
		return new Greeting("hello " + name + end, name.length());
	}

	@PostMapping("/sum")
	public Map<String, Integer> sum(@RequestBody int[] numbers) {
		int sum = 0;
		for (int n : numbers)
			sum += n;
		return Map.of("sum", sum);
	}
}
""", "src/main/java/app/Handler.java": """package app;

import com.amazonaws.serverless.exceptions.ContainerInitializationException;
import com.amazonaws.serverless.proxy.model.*;
import com.amazonaws.serverless.proxy.spring.SpringBootLambdaContainerHandler;
import com.amazonaws.services.lambda.runtime.*;
import java.io.*;

public class Handler implements RequestStreamHandler {
	private static final SpringBootLambdaContainerHandler<AwsProxyRequest, AwsProxyResponse> handler;
	static {
		try {
			handler = SpringBootLambdaContainerHandler.getAwsProxyHandler(Application.class);
		} catch (ContainerInitializationException e) {
			throw new RuntimeException(e);
		}
	}

	@Override
	public void handleRequest(InputStream in, OutputStream out, Context context) throws IOException {
		handler.proxyStream(in, out, context);
	}
}
"""}
SPRING_POM = pom(["com.amazonaws.serverless:aws-serverless-java-container-springboot3:2.1.5", "org.springframework.boot:spring-boot-starter-web:3.5.16"])


def answers_of_spring(answers, log):
    assert [a["statusCode"] for a in answers] == [200, 200, 404], answers
    assert json.loads(answers[0]["body"]) == {"text": "hello you?", "length": 3} and json.loads(answers[1]["body"]) == {"sum": 6}, answers


def spring(runtime):
    return Case(f"Spring Boot on {runtime}", "maven", [], runtime, "app.Handler::handleRequest", {**SPRING, "pom.xml": SPRING_POM}, answers_of_spring,
                events=[request("GET", "/hello/you", {"end": "?"}), request("POST", "/sum", body="[1,2,3]"), request("GET", "/nowhere")], build=packaged, memory=1024, timeout=120)


LOG4J = {"src/main/java/app/Handler.java": """package app;

import com.amazonaws.services.lambda.runtime.*;
import org.apache.logging.log4j.*;

public class Handler implements RequestHandler<String, String> {
	private static final Logger log = LogManager.getLogger(Handler.class);

	@Override
	public String handleRequest(String in, Context context) {
		log.info("saw {}", in);
		return context.getAwsRequestId();
	}
}
""", "src/main/resources/log4j2.xml": """<Configuration><Appenders><Lambda name="L"><LambdaTextFormat><PatternLayout><pattern>%X{AWSRequestId} %-5p %m%n</pattern></PatternLayout></LambdaTextFormat></Lambda></Appenders>
<Loggers><Root level="INFO"><AppenderRef ref="L"/></Root></Loggers></Configuration>
"""}


def log4j(answers, log):
    assert f"{answers[0]} INFO  saw it" in log, log[-1000:]


CRAC = {"src/main/java/app/Handler.java": """package app;

import java.util.*;
import org.crac.*;

public class Handler implements Resource {
	private final List<String> told = new ArrayList<>();

	public Handler() {
		Core.getGlobalContext().register(this);
	}

	@Override
	public void beforeCheckpoint(org.crac.Context<? extends Resource> c) {
		told.add("before");
	}

	@Override
	public void afterRestore(org.crac.Context<? extends Resource> c) {
		told.add("after");
	}

	public List<String> handle() {
		return told;
	}
}
"""}


def plain(answers, log):
    assert answers[0] == [], answers  # without SnapStart nobody is told


AWS_SERIALIZATION = "com.amazonaws:aws-lambda-java-serialization:1.4.1"
CASES = [
    Case("AWS's serialisation, beside it", "maven", [], "java21", "app.Differ",
         {"src/main/java/app/Differ.java": text("Differ.java"), "src/main/java/app/Kinds.java": text("Kinds.java"),
          "pom.xml": pom([AWS_SERIALIZATION, "com.amazonaws:aws-lambda-java-events:3.16.1", "com.amazonaws:aws-lambda-java-core:1.4.0"])},
         no_difference, build=with_classes, memory=1024, timeout=120),
    Case("log4j2, AWS's appender", "maven", [], "java21", "app.Handler", {**LOG4J, "pom.xml": pom(["com.amazonaws:aws-lambda-java-log4j2:1.6.4", "org.apache.logging.log4j:log4j-core:2.25.2", "com.amazonaws:aws-lambda-java-core:1.4.0"])}, log4j,
         events=['"it"'], build=packaged, memory=1024),
    Case("org.crac, registered", "maven", [], "java21", "app.Handler::handle", {**CRAC, "pom.xml": pom(["org.crac:crac:1.5.0"])}, plain, build=packaged, memory=1024),
    spring("java21"), spring("java25"),
]
