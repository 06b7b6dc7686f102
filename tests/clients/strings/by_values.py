"""Logs in with what a parser of its own read out of a shown string, for tools that cannot be had here.

JSON on stdin: what ``pymysql.connect`` takes.
"""

import json
import sys

import pymysql

with pymysql.connect(**json.load(sys.stdin)).cursor() as cursor:
    cursor.execute("SELECT CONCAT(CURRENT_USER(), ' ', DATABASE())")
    print(cursor.fetchone()[0])
