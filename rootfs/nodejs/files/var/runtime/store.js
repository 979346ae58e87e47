/*
 * awslambda.InvokeStore: what belongs to the invocation in progress, for whoever has not been given the context. npm's @aws/lambda-invoke-store,
 * which the AWS SDK and Powertools use, makes a store of its own unless it finds this one; the interface is that package's.
 */
'use strict';

const KEYS = { REQUEST_ID: Symbol.for('_AWS_LAMBDA_REQUEST_ID'), X_RAY_TRACE_ID: Symbol.for('_AWS_LAMBDA_X_RAY_TRACE_ID'), TENANT_ID: Symbol.for('_AWS_LAMBDA_TENANT_ID'),
	TRACEPARENT: Symbol.for('_AWS_LAMBDA_TRACEPARENT'), TRACESTATE: Symbol.for('_AWS_LAMBDA_TRACESTATE'), BAGGAGE: Symbol.for('_AWS_LAMBDA_BAGGAGE') };
const RESERVED = new Set(Object.values(KEYS));

class InvokeStore {
	static PROTECTED_KEYS = KEYS;
	#context; // of the invocation: the keys that are reserved, and what the function set

	run(context, act) {
		this.#context = context;
		return act();
	}

	getContext() { return this.#context; }
	hasContext() { return this.#context !== undefined; }
	get(key) { return this.#context?.[key]; }

	set(key, value) {
		if (this.isProtectedKey(key))
			throw new Error(`Cannot modify protected Lambda context field: ${String(key)}`);
		(this.#context ??= {})[key] = value;
	}

	isProtectedKey(key) { return RESERVED.has(key); }
	getRequestId() { return this.get(KEYS.REQUEST_ID) ?? '-'; }
	getXRayTraceId() { return this.get(KEYS.X_RAY_TRACE_ID); }
	getTenantId() { return this.get(KEYS.TENANT_ID); }
	getTraceparent() { return this.get(KEYS.TRACEPARENT); }
	getTracestate() { return this.get(KEYS.TRACESTATE); }
	getBaggage() { return this.get(KEYS.BAGGAGE); }

	/* Another invocation begins. */
	begin(id, trace, tenant) {
		this.#context = { [KEYS.REQUEST_ID]: id, [KEYS.X_RAY_TRACE_ID]: trace, [KEYS.TENANT_ID]: tenant };
	}

	end() { this.#context = undefined; }
}

module.exports = { store: new InvokeStore() };
