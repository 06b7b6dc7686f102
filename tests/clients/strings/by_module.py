"""Runs the shown Python as it is: it leaves ``connection``.  The text comes on stdin, the row goes to stdout."""

import sys

shown: dict[str, object] = {}
exec(sys.stdin.read(), shown)
cursor = shown["connection"].cursor()  # type: ignore[attr-defined]
cursor.execute("SELECT CONCAT(CURRENT_USER(), ' ', DATABASE())")
print(cursor.fetchone()[0])
