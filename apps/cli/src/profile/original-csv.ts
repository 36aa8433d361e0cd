import type { LoadedModel } from '@neural-engine/engine';
import type { ProfileResult } from './profile';
import { BARRIER } from './rows';
import { WHAT_IF, whatIf } from './what-if';

const quote = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** The columns of the original's profile, in its order. */
const COLUMNS = [
  'operator type',
  'post op',
  'operator name',
  'input tensor name',
  'input shape',
  'input dtype',
  'output tensor name',
  'output shape',
  'output dtype',
  'weight shape',
  'weight sparse ratio',
  'sparse support',
  'operator latency (ms)',
  'aim to weight sparse ratio',
  'sparse kernel pref ratio',
  'aim to sparse latency(ms)',
];

/**
 * The original's three parts: each weight shape with the speed-up expected at 90, 80 and 70% zeros, a row an operator, and totals.
 *
 * Where the original assumed a ratio of 4, the one here follows from the kernels; where it put spreadsheet formulas, numbers stand.
 */
export function originalCsv(model: LoadedModel, { rows, work }: ProfileResult): string {
  const ratios = [...WHAT_IF].reverse();
  const shapes = new Map(model.kernels.map((choice) => [`${choice.in}x${choice.out}`, choice]));
  const first = [
    ['weight shape', ...ratios.map((zeros) => `${zeros * 100}% 4x1 perf ratio`)],
    ...[...shapes].map(([shape, choice]) => [shape, ...ratios.map((zeros) => (1 / whatIf(1, choice, zeros)).toFixed(2))]),
  ];
  const nodes = new Map(model.runtime.prepared.nodes.map((node) => [node.name, node]));
  const { graph } = model.runtime.prepared;
  const described = (names: readonly string[]): [string, string, string] => {
    const values = names.filter((name) => graph.values.has(name)).map((name) => graph.value(name));
    return [names.join(';'), values.map(({ shape }) => shape?.join('x') ?? '').join(';'), values.map(({ dtype }) => dtype).join(';')];
  };
  const second = rows.map((row) => {
    const [layer, ms] = [String(row['layer']), Number(row['ms'])];
    const [node, choice] = [nodes.get(layer), work.get(layer)?.choice];
    const post = node?.kind === 'panel' && 'act' in node.op && node.op.act !== 'none' ? node.op.act : '';
    const aim = choice ? 0.9 : undefined;
    const then = aim === undefined ? ms : whatIf(ms, choice, aim);
    return [
      layer === BARRIER ? 'Barrier' : String(row['kernel']),
      post,
      layer,
      ...described(node?.reads ?? []),
      ...described(node?.writes ?? []),
      choice ? `${choice.in}x${choice.out}` : '',
      choice ? choice.zeroRatio.toFixed(4) : '',
      choice && choice.out % 4 === 0 ? 'true' : 'false',
      ms.toFixed(4),
      aim === undefined ? '' : aim.toFixed(2),
      aim === undefined ? '' : (ms / then).toFixed(2),
      then.toFixed(4),
    ];
  });
  const total = rows.reduce((sum, row) => sum + Number(row['ms']), 0);
  const third = [
    ['total latency (ms)', total.toFixed(4)],
    ...ratios.map((zeros) => {
      const then = rows.reduce((sum, row) => sum + Number(row[`at${zeros * 100}`]), 0);
      return [`total at ${zeros * 100}% (ms)`, then.toFixed(4), 'improvement', (total / then).toFixed(2)];
    }),
  ];
  return [first, [COLUMNS, ...second], third]
    .map((part) => part.map((line) => line.map(quote).join(',')).join('\n'))
    .join('\n\n')
    .concat('\n');
}
