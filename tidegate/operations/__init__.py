"""What one API call does, written once for all clouds: load, ask domain, save, wake the controller.

Every operation takes a :class:`~tidegate.operations.context.Context` (the parts) and a
:class:`~tidegate.operations.context.Caller` (who asks), opens one transaction, raises a domain ``Refusal`` or returns a
*view*: the wish together with the status row that answers it.  Nothing here knows a cloud's words.
"""
