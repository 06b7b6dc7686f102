"""A program inside the VPC: from connect to the first row, by the endpoint's name.  Prints seconds.

The imports are done before the clock starts: a program that runs already waits for the network and the cluster only.
The password comes through the environment, where no list of processes shows it.
"""

from __future__ import annotations

import os
import sys
import time

import pymysql


def main() -> None:
    host, user = sys.argv[1], sys.argv[2]
    start = time.perf_counter()
    with (
        pymysql.connect(
            host=host, port=4000, user=user, password=os.environ["BENCH_PASSWORD"], connect_timeout=30
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
        print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
