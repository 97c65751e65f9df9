/** Nodes of a graph and of the subgraphs in it, and the names under which the page keeps what they put out. */

export function* everyNode(graph) {
  for (const node of graph?.nodes ?? []) {
    yield node;
    yield* everyNode(node.subgraph);
  }
}

/** The nodes along an execution id ("4:2" is node 2 of the subgraph that node 4 holds), from the outside in. */
export function nodesAlong(graph, id) {
  const found = [];
  for (const part of id.split(":")) {
    const node = graph?.getNodeById(part);
    if (!node) return found;
    found.push(node);
    graph = node.subgraph;
  }
  return found;
}
