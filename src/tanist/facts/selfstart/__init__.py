"""What of the operating system's own would start the controller behind the gate's back (A62).

find.py asks a host; the others are pure: text of one kind of file -> what it would do at boot.
"""
