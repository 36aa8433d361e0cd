import { EngineError } from '@neural-engine/core';
import { compileModel } from '@neural-engine/engine';
import { type BlockName, describeWeight, type HeatMapEntry, heatMapPage, type SparsePolicy } from '@neural-engine/sparsity';
import type { Column, Row } from './output/table';
import { Outputs } from './outputs';

const ratio = (key: BlockName): Column => ({ key, title: key, digits: 3 });

export const SPARSITY_COLUMNS: readonly Column[] = [
  { key: 'node', title: 'product', align: 'left' },
  { key: 'out', title: 'out' },
  { key: 'in', title: 'in' },
  ratio('1x1'),
  ratio('4x1'),
  ratio('1x4'),
  ratio('1x16'),
  ratio('16x1'),
  ratio('4x16'),
  { key: 'pattern', title: 'pattern' },
  { key: 'kernel', title: 'kernel' },
  { key: 'gain', title: 'gain', digits: 1 },
  { key: 'saved', title: 'bytes saved' },
  { key: 'reason', title: 'why' },
];

const POLICIES: readonly SparsePolicy[] = ['auto', 'threshold', 'always', 'never'];

/** Zero ratios of each weight over every block shape, and the decision. */
export async function sparsityReport(
  path: string,
  flags: { sparse: string; threshold: string; html?: string; force?: boolean },
  title = path,
): Promise<{ rows: Row[] }> {
  const policy = POLICIES.find((name) => name === flags.sparse);
  const threshold = Number(flags.threshold);
  if (!policy) throw new EngineError('E_USAGE', 'usage', `--sparse ${flags.sparse}: expected one of ${POLICIES.join(', ')}`);
  if (!(threshold >= 0 && threshold <= 1))
    throw new EngineError('E_USAGE', 'usage', `--threshold ${flags.threshold}: expected a number from 0 to 1`);
  using outputs = await Outputs.claim([{ flag: '--html', path: flags.html }], [path], flags.force);
  const graph = await compileModel(path);
  const entries: HeatMapEntry[] = [];
  const rows = graph.nodes.flatMap((node): Row[] => {
    const constant = node.op === 'InnerProduct' ? graph.constant(node.inputs[1]) : undefined;
    if (!constant) return [];
    const transposed = node.attributes['transposed'] === true;
    const [first, second] = constant.dims as [number, number];
    const weight = { data: constant.data, out: transposed ? first : second, in: transposed ? second : first, transposed };
    const report = describeWeight(weight, { policy, threshold });
    const { ratios, pattern, decision, expectedGain, savedBytes } = report;
    entries.push({ name: node.name, weight, report });
    const kernel = decision.sparse ? 'sparse 4x1' : 'dense';
    const base = { node: node.name, out: weight.out, in: weight.in, ...ratios };
    return [{ ...base, pattern, kernel, gain: expectedGain, saved: savedBytes, reason: decision.reason }];
  });
  await outputs.save(flags.html, () => heatMapPage(`Sparsity of ${title}`, entries));
  return { rows };
}
