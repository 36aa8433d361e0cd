import type { PanelValue, PreparedNode } from './prepared';
import type { WeightSpecs } from './weight-specs';

type Norm = Extract<PreparedNode, { kind: 'panel' }> & { op: { op: 'layer_norm' } };

/**
 * Two LayerNorms of one value, of which the second only makes codes and has the γ and β of the first times a power of two for each feature
 * (as the quantizer writes it to bring channels nearer to one another)  →  one, which writes those codes beside its result.
 *
 * Powers of two change no mantissa, so that not a bit of the codes changes, as long as both results are f32 or both are bf16.
 */
export function joinNorms(
  nodes: readonly PreparedNode[],
  panels: ReadonlyMap<string, PanelValue>,
  weights: WeightSpecs,
  outputs: readonly string[],
): PreparedNode[] {
  const readers = new Map<string, PreparedNode[]>();
  for (const node of nodes) for (const name of node.reads) readers.set(name, [...(readers.get(name) ?? []), node]);
  const out: PreparedNode[] = [];
  const firstOf = new Map<string, number>();
  /** Quantize steps that a norm has taken over. */
  const taken = new Set<PreparedNode>();
  for (const node of nodes) {
    if (taken.has(node)) continue;
    if (isNorm(node)) {
      const at = firstOf.get(node.op.x);
      const first = at === undefined ? undefined : (out[at] as Norm);
      const alike = first && panels.get(first.op.y)?.dtype === panels.get(node.op.y)?.dtype;
      const joined = alike ? join(first, node, readers.get(node.op.y) ?? [], weights, outputs) : undefined;
      if (joined) {
        out[at!] = joined.norm;
        taken.add(joined.quantize);
        continue;
      }
      if (at === undefined) firstOf.set(node.op.x, out.length);
    }
    out.push(node);
  }
  return out;
}

const isNorm = (node: PreparedNode): node is Norm => node.kind === 'panel' && node.op.op === 'layer_norm';

function join(
  first: Norm,
  second: Norm,
  readers: readonly PreparedNode[],
  weights: WeightSpecs,
  outputs: readonly string[],
): { norm: Norm; quantize: PreparedNode } | undefined {
  const [quantize] = readers;
  if (readers.length !== 1 || quantize?.kind !== 'panel' || quantize.op.op !== 'quantize' || outputs.includes(second.op.y))
    return undefined;
  if (first.op.quantized !== null || first.op.epsilon !== second.op.epsilon || first.component !== quantize.component) return undefined;
  const multipliers = ratios([first.op.gamma, first.op.beta], [second.op.gamma, second.op.beta], weights);
  if (!multipliers) return undefined;
  const { y, code } = quantize.op;
  const op = { ...first.op, quantized: y, code, multipliers: weights.f32(multipliers) };
  return { norm: { ...first, writes: [...first.writes, y], op }, quantize };
}

/** The power of two for each feature that makes the first γ and β the second ones; undefined where there is none. */
function ratios(from: readonly [number, number], to: readonly [number, number], weights: WeightSpecs): Float32Array | undefined {
  const data = (index: number): Float32Array => weights.list[index]!.data as Float32Array;
  const [gamma, beta] = [data(from[0]), data(from[1])];
  const [toGamma, toBeta] = [data(to[0]), data(to[1])];
  const found = new Float32Array(gamma.length);
  for (let c = 0; c < found.length; c++) {
    const ratio = gamma[c] !== 0 ? toGamma[c]! / gamma[c]! : beta[c] !== 0 ? toBeta[c]! / beta[c]! : 1;
    if (!isPowerOfTwo(ratio) || gamma[c]! * ratio !== toGamma[c] || beta[c]! * ratio !== toBeta[c]) return undefined;
    found[c] = ratio;
  }
  return found;
}

const isPowerOfTwo = (value: number): boolean => value > 0 && Number.isInteger(Math.log2(value)) && Math.abs(Math.log2(value)) <= 64;
