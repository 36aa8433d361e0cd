import { EngineError } from '@neural-engine/core';
import { PIPELINE } from './pipeline';

/** What a `pattern_switch` file asks for, in our pass names. */
export interface PatternSwitch {
  readonly switches: Readonly<Record<string, boolean>>;
  /** Names that have no equivalent, each with a sentence. */
  readonly warnings: readonly string[];
}

/** The original's passes and the passes of ours that do the same. */
const EQUIVALENTS: Readonly<Record<string, readonly string[]>> = {
  RemoveConstantOP: ['fold-constants'],
  CollectQuantInfo: ['collect-quantization'],
  LayerNorm: ['fuse-layer-norm', 'fuse-layer-norm-factored', 'lower-layer-normalization'],
  LayerNormWithReduceMean: ['fuse-layer-norm', 'fuse-layer-norm-factored', 'lower-layer-normalization'],
  WordEmbeddings: ['fuse-embeddings'],
  TokenTypeEmbeddings: ['fuse-embeddings'],
  TokenTypeEmbeddingsV1: ['fuse-embeddings'],
  PositionEmbeddings: ['fuse-embeddings'],
  PositionEmbeddingsV1: ['fuse-embeddings'],
  AddEmbeddings: ['fuse-embeddings'],
  GenerateSequence: ['fuse-padding-mask'],
  PaddingSequence: ['fuse-padding-mask'],
  MatMulWithBias: ['absorb-bias'],
  MatMulWithBiasAdd: ['absorb-residual'],
  MatMulWithBiasGelu: ['absorb-activation'],
  MatMulWithBiasTanh: ['absorb-activation'],
  MatMulWithBiasRelu: ['absorb-activation'],
  MatMulWithBiasSigmoid: ['absorb-activation'],
  InnerproductWithBiasGelu: ['absorb-activation'],
  TransposeBatchMatMul: ['fuse-attention'],
  Gelu: ['fuse-gelu', 'fuse-gelu-tanh'],
  InsertQuantNode: ['insert-quantization'],
};

/** Passes of the original whose switch is understood and changes nothing here. */
const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  MultiHeadAttention: 'attention is one operator in every form of our graph, the transposed one included',
  QKVMerge: 'query, key and value stay three products of one input, which is read once',
};

/**
 * Reads the original's `pattern_switch:` file: a YAML mapping of pass names to booleans. Our own pass names are taken too.
 *
 * Where several of the original's passes are one of ours, off wins.
 * @throws {EngineError} E_USAGE the text is no such mapping; the line is named.
 */
export function parsePatternSwitch(yamlText: string): PatternSwitch {
  const own = new Set(PIPELINE.map(({ pass }) => pass.name));
  const switches: Record<string, boolean> = Object.create(null);
  const warnings: string[] = [];
  for (const [name, on] of readSwitches(yamlText)) {
    const names = own.has(name) ? [name] : Object.hasOwn(EQUIVALENTS, name) ? EQUIVALENTS[name]! : [];
    for (const pass of names) switches[pass] = (switches[pass] ?? true) && on;
    if (names.length === 0) {
      const reason = Object.hasOwn(WITHOUT_EFFECT, name) ? WITHOUT_EFFECT[name]! : 'there is no such pass here';
      warnings.push(`pattern_switch: "${name}" has no effect: ${reason}`);
    }
  }
  return { switches: { ...switches }, warnings };
}

const BOOLEANS: Readonly<Record<string, boolean>> = { true: true, True: true, TRUE: true, false: false, False: false, FALSE: false };

function* readSwitches(text: string): Generator<[string, boolean]> {
  let inside = false;
  for (const [i, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const line = raw.replace(/(^|\s)#.*$/, '').trimEnd();
    if (line === '' || line === '---') continue;
    const fail = (message: string): never => {
      throw new EngineError('E_USAGE', 'compile', `pattern_switch, line ${i + 1}: ${message}`, { where: `line ${i + 1}` });
    };
    if (!/^\s/.test(line)) {
      if (!/^pattern_switch\s*:$/.test(line)) fail(`expected "pattern_switch:", got "${line.slice(0, 80)}"`);
      if (inside) fail('"pattern_switch" stands twice');
      inside = true;
      continue;
    }
    const parts = /^\s+(['"]?)([\w-]+)\1\s*:\s*(\w+)$/.exec(line);
    const on = parts && Object.hasOwn(BOOLEANS, parts[3]!) ? BOOLEANS[parts[3]!] : undefined;
    if (!inside || !parts || on === undefined) fail(`expected "  PassName: true" or "false", got "${line.trim().slice(0, 80)}"`);
    yield [parts![2]!, on!];
  }
  if (!inside) throw new EngineError('E_USAGE', 'compile', 'pattern_switch: the file has no "pattern_switch:"', { where: 'line 1' });
}
