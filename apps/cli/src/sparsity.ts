import { dtypeBytes, EngineError, widen } from '@neural-engine/core';
import { compileModel, load } from '@neural-engine/engine';
import type { KernelChoice } from '@neural-engine/runtime';
import { type BlockName, describeWeight } from '@neural-engine/sparsity';
import type { Column, Row } from './output/table';
import { Outputs } from './outputs';
import { type HeatMapEntry, heatMapPage, type KernelReport } from './report/heat-map';
import { sparsePolicy } from './sparse';
import { tuneOf } from './tune';

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
  { key: 'kernel', title: 'kernel', align: 'left' },
  { key: 'gain', title: 'gain', digits: 1 },
  { key: 'saved', title: 'bytes saved' },
  { key: 'rule', title: 'by zeros alone', align: 'left' },
  { key: 'reason', title: 'why' },
];

/** What the runtime chose for a weight of `elementBytes`, in the words of the page. Where it has no kernel of its own it runs row-major. */
function chosenOf(choice: KernelChoice | undefined, elementBytes: number): KernelReport {
  if (!choice)
    return {
      kernel: 'row-major',
      sparse: false,
      reason: 'it is multiplied outside panels, where no zeros are skipped',
      gain: 1,
      savedBytes: 0,
    };
  const { kernel, sparse, reason, gain } = choice;
  const savedBytes = sparse ? Math.max(0, choice.out * choice.in * elementBytes - choice.sizeBytes) : 0;
  return { kernel, sparse, reason, gain, savedBytes };
}

/**
 * Zero ratios of each weight over every block shape, what they decide alone, and the kernel that a session runs: the model is loaded as
 * one would be, and stays in the cache.
 */
export async function sparsityReport(
  path: string,
  flags: { sparse: string; threshold: string; tune?: string; html?: string; force?: boolean },
  title = path,
): Promise<{ rows: Row[]; notes: string[] }> {
  const policy = sparsePolicy(flags.sparse);
  const threshold = Number(flags.threshold);
  if (!(threshold >= 0 && threshold <= 1))
    throw new EngineError('E_USAGE', 'usage', `--threshold ${flags.threshold}: expected a number from 0 to 1`);
  const how = tuneOf(flags.tune);
  using outputs = await Outputs.claim([{ flag: '--html', path: flags.html }], [path], flags.force);
  const graph = await compileModel(path);
  const { kernels } = await load(path, { sparse: policy, sparseThreshold: threshold, ...how });
  const choices = new Map(kernels.map((choice) => [choice.node, choice]));
  const entries: HeatMapEntry[] = [];
  const rows = graph.nodes.flatMap((node): Row[] => {
    const constant = node.op === 'InnerProduct' ? graph.constant(node.inputs[1]) : undefined;
    if (!constant) return [];
    const transposed = node.attributes['transposed'] === true;
    const [first, second] = constant.dims as [number, number];
    const data = constant.dtype === 'bf16' ? widen(constant.data as Uint16Array, 'bf16') : constant.data;
    const weight = { data, out: transposed ? first : second, in: transposed ? second : first, transposed };
    const report = describeWeight(weight, { policy, threshold });
    const chosen = chosenOf(choices.get(node.name), dtypeBytes(constant.dtype));
    entries.push({ name: node.name, weight, report, chosen });
    const { kernel, sparse, gain, savedBytes, reason } = chosen;
    const { decision, ratios, pattern } = report;
    const rule = { rule: decision.sparse ? 'sparse 4x1' : 'dense', ruleGain: report.expectedGain, ruleReason: decision.reason };
    return [
      { node: node.name, out: weight.out, in: weight.in, ...ratios, pattern, kernel, sparse, gain, saved: savedBytes, ...rule, reason },
    ];
  });
  await outputs.save(flags.html, () => heatMapPage(`Sparsity of ${title}`, entries));
  const others = entries.filter(({ report, chosen }) => report.decision.sparse !== chosen!.sparse).length;
  const notes = others > 0 ? [`${others} of ${rows.length} run on another kind of kernel than their zeros alone would decide for`] : [];
  return { rows, notes };
}
