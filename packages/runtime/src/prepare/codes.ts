import { EngineError, type Tensor } from '@neural-engine/core';
import type { Graph, Node } from '@neural-engine/ir';
import type { Code } from '@neural-engine/kernels';

/** Rounds half to even, as every kernel does. */
export function roundTiesEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest < 0.5) return floor;
  if (rest > 0.5) return floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** scale = 255 / max(max − min, 1e-10), zero = round(−min · scale). The scale multiplies to quantise. */
export function codeU8(min: number, max: number): Code {
  const scale = Math.fround(255 / Math.max(max - min, 1e-10));
  return { scale, zero: roundTiesEven(Math.fround(-min * scale)) };
}

/** scale = 127 / max(|min|, |max|, 1e-10), zero = 0. */
export const codeS8 = (min: number, max: number): Code => ({
  scale: Math.fround(127 / Math.max(Math.abs(min), Math.abs(max), 1e-10)),
  zero: 0,
});

export const codeOf = (dtype: 'u8' | 's8', min: number, max: number): Code => (dtype === 'u8' ? codeU8(min, max) : codeS8(min, max));

/** The constant of an input slot; E_QUANT where a quantised operator needs one and has none. */
export function constantInput(graph: Graph, node: Node, slot: number, what: string): Tensor {
  const found = graph.constant(node.inputs[slot]);
  if (!found)
    throw new EngineError('E_QUANT', 'load', `node "${node.name}" (${node.op}): ${what} must be a constant`, { where: node.name });
  return found;
}

/** Min and max of a per-tensor range held in two neighbouring slots. */
export function rangeInput(graph: Graph, node: Node, slot: number, what: string): { min: number; max: number } {
  const min = Number(constantInput(graph, node, slot, `${what} minimum`).data[0]);
  const max = Number(constantInput(graph, node, slot + 1, `${what} maximum`).data[0]);
  if (!Number.isFinite(min) || !Number.isFinite(max) || min > max) {
    throw new EngineError('E_QUANT', 'load', `node "${node.name}" (${node.op}): range of ${what} is [${min}, ${max}]`, {
      where: node.name,
    });
  }
  return { min, max };
}
