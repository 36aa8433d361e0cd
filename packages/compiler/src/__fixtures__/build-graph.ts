import { allocate, type DType, elementCount, type Shape, type Tensor } from '@neural-engine/core';
import { type Attributes, Graph, inferNode, inferShapes, verifyGraph } from '@neural-engine/ir';
import { expect } from 'vitest';
import { emptyContext, type Pass, type PassContext, type PassEvent, PassLog } from '../rewrite';
import { distance, runGraph } from './run-graph';

/** Builds graphs for tests, node by node; every method returns the name of a value. */
export class GraphBuilder {
  readonly graph = new Graph('test');

  input(name: string, dtype: DType, shape: Shape | undefined): string {
    this.graph.addValue({ name, dtype, shape });
    this.graph.inputs.push(name);
    return name;
  }

  constant(tensor: Tensor): string {
    return this.graph.addConstant('c', tensor);
  }

  scalar(value: number): string {
    return this.constant({ dtype: 'f32', dims: [], data: Float32Array.of(value) });
  }

  ints(...values: number[]): string {
    return this.constant({ dtype: 's64', dims: [values.length], data: BigInt64Array.from(values, BigInt) });
  }

  int(value: number): string {
    return this.constant({ dtype: 's64', dims: [], data: BigInt64Array.of(BigInt(value)) });
  }

  /** f32 numbers in [−1, 1) that depend on the dims and the seed only. */
  weight(dims: readonly number[], seed = 1): string {
    return this.constant({ dtype: 'f32', dims, data: noise(elementCount(dims), seed) });
  }

  op(op: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.ops(op, inputs, attributes, 1)[0]!;
  }

  /** An operation with several results. */
  ops(op: string, inputs: readonly string[], attributes: Attributes, count: number): string[] {
    const name = `${op}_${this.graph.nodes.length}`;
    const outputs = Array.from({ length: count }, (_, i) => this.graph.freeName(count === 1 ? name : `${name}_${i}`));
    const node = { name, op, inputs: [...inputs], outputs, attributes };
    const inferred = inferNode(node, (input) => this.graph.value(input));
    outputs.forEach((output, i) => {
      this.graph.addValue({ name: output, dtype: inferred[i]!.dtype, shape: inferred[i]!.shape });
    });
    this.graph.nodes.push(node);
    return outputs;
  }
}

/** A graph whose outputs are the values that `build` returns. */
export function graphOf(build: (b: GraphBuilder) => string | readonly string[]): Graph {
  const builder = new GraphBuilder();
  const outputs = build(builder);
  builder.graph.outputs = typeof outputs === 'string' ? [outputs] : [...outputs];
  verifyGraph(builder.graph);
  inferShapes(builder.graph);
  return builder.graph;
}

/** Runs one pass, checks that its result is whole and that running it again changes nothing. */
export function run(pass: Pass, graph: Graph, context: PassContext = emptyContext()): Graph {
  const after = pass.run(graph, { ...context, log: new PassLog(pass.name) });
  verifyGraph(after);
  const again = new PassLog(pass.name);
  pass.run(after, { ...context, log: again });
  expect(again.hits, `${pass.name} finds more at a second run`).toBe(0);
  return after;
}

/** Several passes in order. */
export const runAll = (passes: readonly Pass[], graph: Graph): Graph => passes.reduce((now, pass) => run(pass, now), graph);

/** Reasons that a pass gives for leaving near misses alone. */
export function reasonsOf(pass: Pass, graph: Graph): string[] {
  const reasons: string[] = [];
  const explain = (event: PassEvent): void => {
    if (event.kind === 'declined') reasons.push(event.reason);
  };
  pass.run(graph, { ...emptyContext(), log: new PassLog(pass.name, explain) });
  return reasons;
}

export const opsOf = (graph: Graph): string[] => graph.nodes.map((node) => node.op);

/** Demands that a pass gives the very same graph back. */
export function expectUnchanged(pass: Pass, graph: Graph): void {
  expect(pass.run(graph, emptyContext())).toEqual(graph);
}

/** Numbers in [−1, 1) from a small generator, the same for the same seed. */
export function noise(count: number, seed: number): Float32Array {
  let state = (seed * 2654435761) >>> 0 || 1;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31) - 1;
  });
}

/** Feeds for a graph with its symbols bound: floats are noise, ids small, masks right-padded. */
export function feedsFor(graph: Graph, symbols: Readonly<Record<string, number>>): Map<string, Tensor> {
  const feeds = new Map<string, Tensor>();
  for (const [i, name] of graph.inputs.entries()) {
    const { dtype, shape } = graph.value(name);
    const dims = shape!.map((dim) => (typeof dim === 'number' ? dim : symbols[dim ?? '']!));
    feeds.set(name, { dtype, dims, data: dtype === 'f32' ? noise(elementCount(dims), i + 7) : integers(dtype, dims, name.includes('mask')) });
  }
  return feeds;
}

/** 0 and 1 in turn; for masks, rows of ones that get shorter. */
function integers(dtype: DType, dims: readonly number[], isMask: boolean): Tensor['data'] {
  const data = allocate(dtype, elementCount(dims));
  const width = dims.at(-1) ?? 1;
  for (let k = 0; k < data.length; k++) {
    const element = isMask ? Number(k % width < width - Math.floor(k / width)) : k % 2;
    (data as Float32Array)[k] = (typeof data[k] === 'bigint' ? BigInt(element) : element) as number;
  }
  return data;
}

/** Demands that both graphs compute the same, for batch 3 and sequence 5. */
export function expectSameOutputs(before: Graph, after: Graph, { maxAbs = 1e-6, symbols = { batch: 3, seq: 5 } } = {}): void {
  const feeds = feedsFor(before, symbols);
  const want = runGraph(before, feeds);
  const got = runGraph(after, feeds);
  expect(after.outputs).toEqual(before.outputs);
  for (const name of before.outputs) expect(distance(got.get(name)!, want.get(name)!), name).toBeLessThanOrEqual(maxAbs);
}
