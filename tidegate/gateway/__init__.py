"""The MySQL front door of a region: who you are, which cluster you mean, and then out of the way.

::

    listening socket (opened by app/gateway.py in the provider namespace)
        |  server.py      accept; Directory.consumer(peer) or nothing; room for one more login?
        v
    Login (login.py)      sockets <-> Handshake (handshake.py, no I/O)
        |                     commands.py               what it asks to be done
        |                     framing.py, packets.py    MySQL packets
        |                     refusals.py               every ERR that we send, one function each
        |                     password_key.py           caching_sha2_password without TLS
        |                     proxy_protocol.py         tells the database the client and the endpoint
        v
    Joined (handover.py)  both sockets, the OK not yet sent: the kernel takes them, or
        v
    Relay (relay.py)      bytes both ways until one side ends

Words.  *Consumer*: the endpoint that a peer address stands for.  *Prefix*: what precedes the first dot of a user
name.  *Route*: where a prefix leads.  *Client* and *server* are the two ends of a session; *gateway* is us.

TLS ends here.  A client that came with TLS is brought to the database with TLS again, so that an account with
``REQUIRE SSL`` can log in; one that came in clear goes on in clear, inside the provider namespace.
"""
