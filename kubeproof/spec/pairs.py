"""The ordered pairs of nodes between which a cluster is judged."""

import itertools
from collections.abc import Sequence

MOST_NODES = 12  # 132 ordered pairs: with more nodes, pairs would outnumber all other cases
NEIGHBOURS = 3


def pairs(nodes: Sequence[str]) -> list[tuple[str, str]]:
    """All ordered pairs of the nodes; of more than 12 nodes, each with the next three, in a ring.

    Each node of the ring asks three others and is asked by three others, so the number grows as that of the nodes.
    """
    if len(nodes) <= MOST_NODES:
        return list(itertools.permutations(nodes, 2))
    reach = range(1, NEIGHBOURS + 1)
    return [(one, nodes[(place + steps) % len(nodes)]) for place, one in enumerate(nodes) for steps in reach]
