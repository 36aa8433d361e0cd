import { EngineError, widen } from '@neural-engine/core';
import type { Graph, Node } from '@neural-engine/ir';
import { type Activation, type Code, isa } from '@neural-engine/kernels';
import { activationTable } from './activation-table';
import { chooseFormat } from './choose-format';
import { codeOf, constantInput, rangeInput } from './codes';
import type { PrepareOptions } from './prepare';
import type { PanelOp, WeightChoice } from './prepared';
import type { WeightSpecs } from './weight-specs';

/** Zeros from which skipping them beats multiplying everything on AMX tiles in bf16 (apps/docs/kernels/bf16.md). */
const TILES_BREAK_EVEN = 0.82;

/** Slots of the operator, as its schema lists them. */
const SLOT = {
  x: 0,
  weight: 1,
  bias: 2,
  residual: 3,
  xMin: 4,
  weightMin: 6,
  weightMax: 7,
  preMin: 8,
  yMin: 10,
  xStep: 12,
  xZero: 13,
} as const;

export interface LinearLowering {
  readonly op: PanelOp;
  readonly choice: WeightChoice;
}

/**
 * InnerProduct with a constant weight → an f32, bf16 or u8 × s8 linear step.
 *
 * `asUnsigned` makes an s8 output u8 with zero point 128: the form in which attention reads its queries.
 */
export function lowerInnerProduct(
  graph: Graph,
  node: Node,
  weights: WeightSpecs,
  { sparse = {}, time }: Pick<PrepareOptions, 'sparse' | 'time'>,
  asUnsigned = false,
): LinearLowering {
  const weight = constantInput(graph, node, SLOT.weight, 'the weight');
  const transposed = node.attributes['transposed'] === true;
  const [first, second] = weight.dims as [number, number];
  const [m, k] = transposed ? [first, second] : [second, first];
  const { dtype } = weight;
  if (dtype !== 'f32' && dtype !== 'bf16' && dtype !== 's8') {
    throw new EngineError('E_UNSUPPORTED', 'load', `node "${node.name}" (InnerProduct): weights of ${dtype} are not supported`, {
      where: node.name,
    });
  }
  const values = dtype === 'bf16' ? widen(weight.data as Uint16Array, 'bf16') : weight.data;
  const onTiles = dtype === 'bf16' && isa().tier === 'amx';
  const decide = onTiles ? { breakEven: TILES_BREAK_EVEN, ...sparse } : sparse;
  const { format, ...chosen } = chooseFormat({ data: values, out: m, in: k, transposed }, dtype, decide, time);
  const order = transposed ? 'mk' : 'km';
  const act = (node.attributes['activation'] ?? 'none') as Activation;
  const residual = node.inputs[SLOT.residual] || null;
  const base = { x: node.inputs[SLOT.x]!, y: node.outputs[0]!, residual };
  const bias = graph.constant(node.inputs[SLOT.bias]);
  const choiceOf = (entry: number): WeightChoice => ({
    node: node.name,
    weight: node.inputs[SLOT.weight]!,
    entry,
    out: m,
    in: k,
    ...chosen,
  });

  if (weight.dtype === 'f32') {
    const index = weights.linear({ kind: 'linear_f32', format, m, k, order, data: weight.data as Float32Array });
    return {
      op: { op: 'linear', ...base, weight: index, bias: bias ? weights.tensor(bias) : null, act },
      choice: choiceOf(index),
    };
  }
  if (weight.dtype === 'bf16') {
    const index = weights.linear({ kind: 'linear_bf16', format, m, k, order, data: weight.data as Uint16Array });
    return {
      op: { op: 'linear_bf16', ...base, weight: index, bias: bias ? weights.tensor(bias) : null, act },
      choice: choiceOf(index),
    };
  }
  const data = weight.data as Int8Array;
  const [step, zero] = [node.inputs[SLOT.xStep], node.inputs[SLOT.xZero]];
  // Tokens with codes of their own bring step and zero point along; one code for all is part of the constants below.
  const xCode = step ? { scale: 1, zero: 0 } : codeOfInput(graph, node);
  const weightMin = constantInput(graph, node, SLOT.weightMin, 'the weight minimum').data;
  const weightMax = constantInput(graph, node, SLOT.weightMax, 'the weight maximum').data;
  const outDtype = (node.attributes['output_dtype'] ?? 'f32') as 'f32' | 'u8' | 's8';

  // What the finished f32 value is multiplied and shifted by inside the one fused multiply-add.
  let out: Code = { scale: 1, zero: 0 };
  let code: Code | null = null;
  let table: number | null = null;
  if (outDtype !== 'f32') {
    const y = rangeInput(graph, node, SLOT.yMin, 'the output');
    const plain = codeOf(outDtype, y.min, y.max);
    const yCode = asUnsigned && outDtype === 's8' ? { ...plain, zero: plain.zero + 128 } : plain;

    if (act === 'none') out = yCode;
    else if (node.inputs[SLOT.preMin] && outDtype === 'u8') {
      const pre = rangeInput(graph, node, SLOT.preMin, 'the value before the activation');
      out = codeOf('u8', pre.min, pre.max);
      table = weights.u8(activationTable(act, out, yCode));
    } else code = yCode;
  }

  const init = new Int32Array(m);
  const mul = new Float32Array(m);
  const add = new Float32Array(m);
  const sums = rowSums(data, m, k, transposed);
  for (let row = 0; row < m; row++) {
    const at = weightMin.length === 1 ? 0 : row;
    const weightScale = codeOf('s8', Number(weightMin[at]), Number(weightMax[at])).scale;
    init[row] = -xCode.zero * sums[row]!;
    mul[row] = out.scale / (xCode.scale * weightScale);
    add[row] = (bias ? Number(bias.data[row]) : 0) * out.scale + out.zero;
  }
  const index = weights.linear({ kind: 'linear_u8s8', format, m, k, order, data });
  return {
    op: {
      op: 'linear_i8',
      ...base,
      weight: index,
      init: weights.s32(init),
      mul: weights.f32(mul),
      add: weights.f32(add),
      act: table === null ? act : 'none',
      code,
      table,
      unsigned: asUnsigned && outDtype === 's8',
      tokens: step && zero ? { step, zero, sums: weights.s32(sums) } : null,
    },
    choice: choiceOf(index),
  };
}

function codeOfInput(graph: Graph, node: Node): Code {
  const { min, max } = rangeInput(graph, node, SLOT.xMin, 'the input');
  return codeOf('u8', min, max);
}

function rowSums(data: Int8Array, m: number, k: number, transposed: boolean): Int32Array {
  const sums = new Int32Array(m);
  if (transposed) for (let row = 0, at = 0; row < m; row++) for (let i = 0; i < k; i++) sums[row]! += data[at++]!;
  else for (let i = 0, at = 0; i < k; i++) for (let row = 0; row < m; row++) sums[row]! += data[at++]!;
  return sums;
}
