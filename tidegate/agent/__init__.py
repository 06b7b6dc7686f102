"""One per host: holds the drivers, takes a whole :class:`~tidegate.agent.config.HostConfig`, converges to it.

``config.py`` the value and its differences; ``channel.py`` how parts travel over a Unix socket; ``world.py`` makes the
namespaces, rootless or root; ``server.py`` applies; ``client.py`` is the controller's end.
"""
