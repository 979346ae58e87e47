"""Runtime hooks of SnapStart, as Lambda's managed Python runtime offers them (AWS Lambda Developer Guide, "snapstart-runtime-hooks-python").

Each takes a function with its arguments, or decorates one. The runtime runs those of before the snapshot in reverse order of registration,
those of after the restore in their order.
"""

_before_snapshot = []
_after_restore = []


def register_before_snapshot(func, *args, **kwargs):
    _before_snapshot.append((func, args, kwargs))
    return func


def register_after_restore(func, *args, **kwargs):
    _after_restore.append((func, args, kwargs))
    return func


def get_before_snapshot():
    return _before_snapshot


def get_after_restore():
    return _after_restore
