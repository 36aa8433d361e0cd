import { bytesOf, type Tensor } from '@neural-engine/core';
import { expect } from 'vitest';
import type { Graph, Node } from '../graph';
import { schemaOf } from '../schemas/index';

/** Slot of an InnerProduct's bias, which is corrected and uncorrected by way of a file. */
const BIAS = 2;

/**
 * Expects that two graphs are the same up to names: operators, attributes, edges, dtypes, shapes and constants. Constants are equal bit
 * for bit, biases of 8-bit products to a few units in the last place of the largest.
 */
export function expectSameGraph(got: Graph, expected: Graph): void {
  const numbers = [got, expected].map(numbered);
  const shape = (graph: Graph, number: ReadonlyMap<string, number>) => ({
    inputs: graph.inputs.map((name) => [graph.value(name).dtype, graph.value(name).shape]),
    outputs: graph.outputs.map((name) => number.get(name)),
    nodes: graph.nodes.map((node) => ({
      op: node.op,
      attributes: withDefaults(node),
      inputs: node.inputs.map((name) => (graph.constant(name) ? 'constant' : (number.get(name) ?? name))),
      outputs: node.outputs.map((name) => [number.get(name), graph.value(name).dtype, graph.value(name).shape]),
    })),
  });
  expect(shape(got, numbers[0]!)).toEqual(shape(expected, numbers[1]!));
  for (const [i, node] of expected.nodes.entries()) {
    for (const [slot, name] of node.inputs.entries()) {
      const constant = expected.constant(name);
      if (!constant) continue;
      const other = got.constant(got.nodes[i]!.inputs[slot])!;
      expect([other.dtype, other.dims], name).toEqual([constant.dtype, constant.dims]);
      const isFolded = node.op === 'InnerProduct' && slot === BIAS && expected.constant(node.inputs[1])?.dtype === 's8';
      // Compared as bytes by hand: matchers take seconds for a weight.
      if (isFolded) expectClose([other], [constant], 1e-5 * Math.max(1, ...Array.from(constant.data as Float32Array, Math.abs)));
      else expect(Buffer.compare(bytesOf(other.data), bytesOf(constant.data)), name).toBe(0);
    }
  }
}

function withDefaults({ op, attributes }: Node): Record<string, unknown> {
  const defaults = Object.entries(schemaOf(op)!.attributes).map(([name, spec]) => [name, spec.default]);
  return { ...Object.fromEntries(defaults), ...attributes };
}

/** Expects equal tensors, floats to within `tolerance`: a bias that went through a file may differ in its last place. */
export function expectClose(got: readonly Tensor[], expected: readonly Tensor[], tolerance: number): void {
  expect(got.map(({ dtype, dims }) => [dtype, dims])).toEqual(expected.map(({ dtype, dims }) => [dtype, dims]));
  for (const [i, { data }] of expected.entries()) {
    const furthest = Array.from(data as ArrayLike<number>, (value, at) => Math.abs(value - Number(got[i]!.data[at])));
    expect(furthest.every((distance) => distance <= tolerance), `furthest ${Math.max(...furthest)}`).toBe(true);
  }
}

/** Values that are no constants, by the order in which they arise. */
function numbered(graph: Graph): Map<string, number> {
  const found = new Map<string, number>();
  for (const name of [...graph.inputs, ...graph.nodes.flatMap((node) => node.outputs)]) found.set(name, found.size);
  return found;
}
