"""What a trace shows of one call, as tests ask for it."""


class Traced:
    """What a trace shows of one call."""

    def __init__(self, result, trace):
        self.result = result
        self.trace = trace

    def segments(self, *kinds):
        """``(name, calls)`` of all segments of these kinds, in the order of their first calls, equal ones together."""
        counted = {}
        for node in self.nodes(*kinds):
            counted[node.name] = counted.get(node.name, 0) + node.calls
        return list(counted.items())

    def nodes(self, *kinds):
        return [node for node in self.trace.nodes if node.kind in kinds]

    def node(self, name):
        (node,) = [node for node in self.trace.nodes if node.name == name]
        return node

    def path(self, node):
        """Names from the transaction down to the node."""
        names = [node.name]
        while node.parent >= 0:
            node = self.trace.nodes[node.parent]
            names.insert(0, node.name)
        return names
