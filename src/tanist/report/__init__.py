"""A run as text or as a page for its post-mortem. Pure: RunReport -> text. runs/report.py reads it from the disk."""
