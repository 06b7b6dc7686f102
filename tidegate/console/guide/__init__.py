"""The guided tour: the how-to's three steps, each ticked as soon as it is true (``operations/guide.py``)."""
