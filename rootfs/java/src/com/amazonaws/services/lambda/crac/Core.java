package com.amazonaws.services.lambda.crac;

import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;

/**
 * Where org.crac's resources are registered: its library finds this package by the property org.crac.Core.Compat. Resources are held weakly, told before a
 * snapshot in the reverse order of their registration, and afterwards in that order; what one throws does not keep the others from being told.
 */
public final class Core {
	private static final Registry global = new Registry();

	private Core() {
	}

	public static Context<Resource> getGlobalContext() {
		return global;
	}

	/** A function does not ask for a snapshot itself. */
	public static void checkpointRestore() throws CheckpointException, RestoreException {
		throw new UnsupportedOperationException();
	}

	private static final class Registry extends Context<Resource> {
		private final List<WeakReference<Resource>> all = new ArrayList<WeakReference<Resource>>();

		@Override
		public synchronized void register(Resource resource) {
			all.add(new WeakReference<Resource>(resource));
		}

		private synchronized List<Resource> alive() {
			List<Resource> alive = new ArrayList<Resource>();
			for (WeakReference<Resource> r : all) {
				Resource resource = r.get();
				if (resource != null)
					alive.add(resource);
			}
			return alive;
		}

		/** One resource's failure, or those of a context that is registered in this one. */
		private static void collect(Exception into, Exception e) {
			if (e.getClass() == into.getClass())
				for (Throwable t : e.getSuppressed())
					into.addSuppressed(t);
			else
				into.addSuppressed(e);
		}

		@Override
		public void beforeCheckpoint(Context<? extends Resource> context) throws CheckpointException {
			CheckpointException failed = new CheckpointException();
			List<Resource> alive = alive();
			for (int i = alive.size() - 1; i >= 0; i--) {
				try {
					alive.get(i).beforeCheckpoint(this);
				} catch (Exception e) {
					collect(failed, e);
				}
			}
			if (failed.getSuppressed().length > 0)
				throw failed;
		}

		@Override
		public void afterRestore(Context<? extends Resource> context) throws RestoreException {
			RestoreException failed = new RestoreException();
			for (Resource r : alive()) {
				try {
					r.afterRestore(this);
				} catch (Exception e) {
					collect(failed, e);
				}
			}
			if (failed.getSuppressed().length > 0)
				throw failed;
		}
	}
}
