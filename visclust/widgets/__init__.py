"""Widgets for labelling: pure state machines, and views that forward keys and redraw."""
