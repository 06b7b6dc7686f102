"""Connects with the shown URL.  The text comes on stdin, the row goes to stdout."""

import sys

from sqlalchemy import create_engine, text

with create_engine(sys.stdin.read()).connect() as connection:
    print(connection.execute(text("SELECT CONCAT(CURRENT_USER(), ' ', DATABASE())")).scalar_one())
