"""The engine: one real TiDB server per cluster, started, watched, stopped and kept for as long as its data.

::

    binary.py  which tidb-server            build.py   making one from the Go module
    template.py  a bootstrapped, empty, nobody's data folder; each new cluster starts from a copy
    tidb.py  the driver: a wish in, converged by a worker of its own, a status out
      |- config_file.py  DatabaseConfig -> tidb.toml (pure)
      |- bootstrap.py    which SQL makes the accounts right (pure)
      |- folder.py       clusters/<id>/: data, logs, record of the process
      |- process.py      spawn in a namespace, find again, count sessions, stop
      |- board.py       what is known of each, told once per change
      |- copying.py     a branch's data from its parent, while pause.py keeps that standing still
      |- meter.py       what each has used, from the kernel's counters
      |- quota.py       how much CPU each may use: cgroup.py's groups, or whole CPUs
      |- sql_users.py    the tenant's SQL users, asked for and changed in the running server
      `- session.py      our own SQL session, opened from inside the namespace

Words: a *wish* is a :class:`~tidegate.engine.config.DatabaseConfig`; *asleep* means data without a process;
the *maintenance account* is ours, on every server, with a random key in a file that only we can read.
"""
