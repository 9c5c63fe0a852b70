"""What an operator asks for, as a whole: takeover, release, switchover, resume, undo, and what a boot does.

Here evidence, verdict, plans and engine come together. The command line (cli/) only calls these functions.
"""
