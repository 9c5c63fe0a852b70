"""What can go wrong.

LabError                the lab could not do it; the text says what and why       (labctl: status 1)
  LabRefused            nothing was changed: the request does not fit the state   (labctl: status 2)
  LabTimeout            a program in a node took longer than it was given; it was killed
"""


class LabError(Exception):
    pass


class LabRefused(LabError):
    pass


class LabTimeout(LabError):
    pass
