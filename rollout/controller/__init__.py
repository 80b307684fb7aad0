"""Observe, decide, record, act: the pass, the agenda of due passes, and what runs beside them."""
