"""The consoles: server-rendered pages in Chinese and English, on the port of the APIs, under ``/console``.

How a request flows::

    chain.build_app(fallback) -> app.py: route -> worker thread: session, language, form token -> handler(visit)
                                                                  handler: call an operation, visit.render(...)

Adding a page
-------------
Rooms: ``tidbcloud/`` (clusters), ``vpc/`` (the Alibaba side), ``topology/``, ``guide/``; ``account.py`` is the door.
Say room ``vpc``, resource ``endpoints``:

1. **Handler**: ``console/vpc/endpoints.py``.  A plain function from a :class:`~tidegate.console.visit.Visit` to a
   response.  It runs in a worker thread, so it may block.  It is thin: one operation, one template.  ::

       def show_endpoint(visit: Visit) -> Response:
           view = endpoints.get_endpoint(visit.context, visit.alicloud, visit.params["endpoint_id"])
           return visit.render("vpc/endpoint.html", view=view, watch=[("endpoint", view.endpoint.endpoint_id)])

       def delete_endpoint(visit: Visit) -> Response:
           endpoints.delete_endpoint(visit.context, visit.alicloud, visit.params["endpoint_id"])
           return visit.redirect("/vpc/endpoints", _("The endpoint is being deleted."))

       PAGES = (
           Page("/vpc/endpoints/{endpoint_id}", get=show_endpoint),
           Page("/vpc/endpoints/{endpoint_id}/delete", post=delete_endpoint),
       )

   ``visit.alicloud`` and ``visit.tidbcloud`` are the callers for operations; ``visit.form`` is the body of a POST,
   ``visit.query`` the query.  A ``Refusal`` that is let through becomes an error page (404 or 422).  To show it in the
   form instead, catch it and render the form again with ``problem=describe_refusal(refusal, {"CidrBlock": "cidr"})``
   and ``status=422``; the mapping says which of the form's fields a refusal's field, type or missing thing means.
   A form of its own path (``/edit``, ``/delete``) extends ``visit.form_layout``: ``ui.dialog_link`` opens it as a
   dialog over the page, and without script it is a page.  ``visit.ask`` is such a form that only asks to go on.
   After a successful POST always ``visit.redirect(path, message)``.  Paths are given without ``/console``.
2. **Register**: add the module's ``PAGES`` to ``pages.py``; the room's links to ``navigation.py``.
3. **Template**: ``templates/vpc/endpoint.html``, which extends ``base.html`` and fills ``title`` and ``content``.
   Macros are at hand as ``ui`` without an import (``templates/ui.html``: ``page_header``, ``breadcrumbs``, ``badge``,
   ``copy``, ``code``, ``field``, ``select``, ``choices``, ``table``, ``confirm``, ``pager``, ``cursor``, ``tabs``,
   ``dialog_link``, ``facts``, ``alert``, ``problem``, ``live_part``).  Every form with ``method="post"`` carries
   ``{{ ui.token(visit) }}``.  No inline script, no ``style=``, no ``on...=``: the Content-Security-Policy forbids
   them.  ``static/app.js`` knows ``data-copy``, ``data-copy-from``, ``data-open``, ``data-close``, ``data-submit``,
   ``data-fill``; a ``<dialog>`` that htmx puts into ``#dialog_place`` (``hx-get`` with
   ``hx-target="#dialog_place"``), or one with ``data-show``, opens by itself.
   htmx's attributes are not inherited: each element says all of its own.  Widths and colours are classes in
   ``static/app.css``.
4. **Live part**: pass ``watch=[(kind, id), ...]`` (id ``""``: any of the kind; kinds are ``store/changes.py``'s) and
   put the part into a block of its own, whose one element carries the block's name::

       {% block part_state %}<section {{ ui.live_part("part_state", visit) }}> ... </section>{% endblock %}

   When something watched changes, the browser fetches the same URL again and only that block is rendered and put in
   place.  Such a block may use what the handler passed, ``ui`` and ``visit``, but no ``{% set %}`` from outside it.
   Keep forms and dialogs outside, or a change would empty what somebody is typing.
5. **Words**: English in the source, ``_("...")`` or ``{% trans %}``.  ``python tools/update_catalogues.py`` adds what
   is new to ``catalogues/zh/<room>.po`` (the room of the file it stands in), and you fill in ``msgstr``.  A test fails
   while anything is missing.  In templates what ``_`` gives is HTML already: values go in as ``_("%(x)s ...", x=x)``,
   which escapes them, and no message holds ``<``.  In Python it is text: ``_("{x} ...").format(x=x)``.  What is to be
   translated later, as in tables, is marked ``N_("...")``.  ``{{ text|sentence }}`` translates the controller's
   one-sentence outcomes (``reasons.py``).
6. **Test**: ``tests/unit/console/``, with the fixtures ``console`` (a logged-in browser over ASGI) and ``world``.
"""
