"""The ordered pairs of nodes whose connections are judged."""

import itertools
from collections.abc import Sequence

MOST_NODES = 12  # 132 ordered pairs; more would outnumber all other cases
NEIGHBOURS = 3


def pairs(nodes: Sequence[str]) -> list[tuple[str, str]]:
    """All ordered pairs of at most 12 nodes; of more nodes, each node with the next three in a ring.

    Each node of the ring is three times first and three times second, so the pairs grow in proportion to the nodes.
    """
    if len(nodes) <= MOST_NODES:
        return list(itertools.permutations(nodes, 2))
    reach = range(1, NEIGHBOURS + 1)
    return [(node, nodes[(index + steps) % len(nodes)]) for index, node in enumerate(nodes) for steps in reach]
