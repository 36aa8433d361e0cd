import { type Pass, pruneValues } from '../rewrite';

/** Nodes that no output needs, and constants that nobody reads, vanish. Inputs stay, read or not. */
export const eliminateDeadCode: Pass = {
  name: 'eliminate-dead-code',
  summary: 'nodes that no output needs vanish, and constants that nobody reads',
  run: (source, { log }) => {
    const needed = new Set(source.outputs);
    const alive = new Set<string>();
    for (const node of [...source.nodes].reverse()) {
      if (!node.outputs.some((output) => needed.has(output))) continue;
      alive.add(node.name);
      for (const input of node.inputs) needed.add(input);
    }
    const dead = source.nodes.filter((node) => !alive.has(node.name));
    const idle = [...source.values.values()].filter(({ name, constant }) => constant && !needed.has(name));
    if (dead.length === 0 && idle.length === 0) return source;
    const graph = source.clone();
    graph.nodes = graph.nodes.filter((node) => alive.has(node.name));
    pruneValues(graph);
    for (const node of dead) log.hit(node);
    return graph;
  },
};
