import type { CompileOptions } from '@neural-engine/compiler';
import type { Tensor } from '@neural-engine/core';
import { compileModel, load, locate } from '@neural-engine/engine';
import { encodeModel, makeValueInfo, type OnnxModel, readModel } from '@neural-engine/onnx';
import { openOrt } from './bench/ort';
import { benchFeeds } from './feeds';
import type { Column, Row } from './output/table';
import { readTensors } from './tensor-files';

export const DIFF_COLUMNS: readonly Column[] = [
  { key: 'tensor', title: 'tensor', align: 'left' },
  { key: 'shape', title: 'shape', align: 'left' },
  { key: 'maxAbs', title: 'max |a−b|' },
  { key: 'worst', title: 'of tolerance' },
  { key: 'agrees', title: 'agrees' },
];

export interface DiffOptions {
  readonly input?: string;
  readonly batch: number;
  readonly seqLen: number;
  readonly rtol: number;
  readonly atol: number;
  /** Compare tensors inside the model too. */
  readonly inside: boolean;
  readonly rounding?: CompileOptions['rounding'];
}

/** Runs a model here and in ONNX Runtime on the same feeds and compares what both give. */
export async function diffWithOrt(path: string, options: DiffOptions): Promise<{ rows: Row[]; agrees: boolean }> {
  const located = locate(path);
  const file = located.kind === 'onnx-file' ? located.file : path;
  const onnx = await readModel(file);
  const how = options.rounding ? { rounding: options.rounding } : {};
  const model = await load(path, how);
  const taps = options.inside ? sharedValues(onnx, await compileModel(onnx, how)) : [];
  const feeds = options.input ? await readTensors(options.input, model.inputs) : benchFeeds(model.inputs, feedShape(options), 7);
  const session = await model.session();
  const peer = await openOrt(taps.length > 0 ? encodeModel(withOutputs(onnx, taps)) : file, 1, { exact: true });
  try {
    const ours = await session.run(feeds, { taps });
    const theirs = await peer.run(feeds);
    const mask = Object.entries(feeds).find(([name]) => /mask/i.test(name))?.[1];
    const outputs = new Set(model.outputs.map((port) => port.name));
    let agrees = true;
    const rows = Object.keys(ours).map((name): Row => {
      const result = compare(ours[name]!, theirs[name], mask, options);
      if (outputs.has(name) && !result.agrees) agrees = false;
      return {
        tensor: outputs.has(name) ? `${name} (output)` : name,
        shape: ours[name]!.dims.join('×'),
        maxAbs: Number(result.maxAbs.toPrecision(3)),
        worst: Number(result.worst.toPrecision(3)),
        agrees: result.agrees ? 'yes' : 'no',
      };
    });
    return { rows, agrees };
  } finally {
    await session.close();
    await peer.close();
  }
}

/** Sequences of different length, so that the mask matters. */
const feedShape = ({ batch, seqLen }: DiffOptions) => ({
  batch,
  seqLen,
  lengths: Array.from({ length: batch }, (_, i) => Math.max(1, Math.round(seqLen * (1 - i / (2 * batch))))),
  vocabulary: 100,
});

function sharedValues(onnx: OnnxModel, graph: Awaited<ReturnType<typeof compileModel>>): string[] {
  const theirs = new Set(onnx.graph.nodes.flatMap((node) => node.outputs));
  return graph.nodes
    .flatMap((node) => node.outputs)
    .filter((name) => theirs.has(name) && graph.value(name).dtype === 'f32' && !graph.outputs.includes(name));
}

function withOutputs(onnx: OnnxModel, names: readonly string[]): OnnxModel {
  const extra = names.map((name) => makeValueInfo(name, 'f32'));
  return { ...onnx, graph: { ...onnx.graph, outputs: [...onnx.graph.outputs, ...extra] } };
}

/** Compares at positions that the mask leaves open: rows of any tensor whose first two dims are the mask's. */
function compare(
  a: Tensor,
  b: Tensor | undefined,
  mask: Tensor | undefined,
  { rtol, atol }: DiffOptions,
): { maxAbs: number; worst: number; agrees: boolean } {
  if (!b || a.data.length !== b.data.length) return { maxAbs: Number.NaN, worst: Number.NaN, agrees: false };
  const perRow = mask && a.dims[0] === mask.dims[0] && a.dims[1] === mask.dims[1] ? a.data.length / mask.data.length : 0;
  let [maxAbs, worst] = [0, 0];
  for (let i = 0; i < a.data.length; i++) {
    if (perRow > 0 && Number(mask!.data[Math.floor(i / perRow)]) === 0) continue;
    const [x, y] = [Number(a.data[i]), Number(b.data[i])];
    const error = x === y || (Number.isNaN(x) && Number.isNaN(y)) ? 0 : Math.abs(x - y);
    maxAbs = error > maxAbs || Number.isNaN(error) ? error : maxAbs;
    const share = error / (atol + rtol * Math.abs(y));
    worst = share > worst || Number.isNaN(share) ? share : worst;
  }
  return { maxAbs, worst, agrees: worst <= 1 };
}
