"""The resolvers inside the VPCs.

Words: a *resolver* answers at the addresses of one VPC; a *record* is one host name with its addresses and the
VPC it belongs to; an *apex* is a domain under which every name is ours, so that nothing below it is ever asked
elsewhere; an *upstream* is asked for all other names, when the VPC has any.

::

    datagram or TCP message --message.parse_query--> Question --zone.decide_answer--> Answer | FORWARD
                                                                  |                      |
                    bytes <--message.build_answer------------- Answer     upstream.ask (from the host)

``message`` and ``zone`` are pure; ``server`` and ``upstream`` hold the sockets.
"""
