// Create it with: fnctl create hello-node --runtime nodejs22.x --handler index.handler --code rootfs/examples/hello-node
let count = 0;

export const handler = async (event, context) => {
	count += 1;
	console.log(`invocation ${count} of this environment, ${context.getRemainingTimeInMillis()} ms left`);
	return { message: `hello, ${event.name ?? 'world'}`, node: process.version, invocation: count };
};
