"""Puts the shown settings into Django.  The text comes on stdin, the row goes to stdout."""

import sys

from django.conf import settings
from django.db import connection

shown: dict[str, object] = {}
exec(sys.stdin.read(), shown)
settings.configure(DATABASES=shown["DATABASES"])
with connection.cursor() as cursor:
    cursor.execute("SELECT CONCAT(CURRENT_USER(), ' ', DATABASE())")
    print(cursor.fetchone()[0])
