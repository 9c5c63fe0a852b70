"""What test_reowning_counts.py runs under strace(1): walk_counted.py TREE WORKERS OLD NEW"""

from __future__ import annotations

import sys

from tanist.host import reowning
from tanist.model.host import Renumber

if __name__ == "__main__":
    tree, workers, old, new = sys.argv[1], *map(int, sys.argv[2:])
    reowning.begin(tree, "t")
    done = reowning.reown(tree, "t", Renumber(users=((old, new),), groups=()), workers=workers)
    reowning.forget(tree)
    print(done.looked_at, done.changed)
