import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Context, SectionSpec } from '../context';
import { atMost } from '../goals';
import type { Row, Section } from '../record';

const child = fileURLToPath(new URL('../memory-child.mjs', import.meta.url));
const built = fileURLToPath(new URL('../../../../packages/engine/dist/index.js', import.meta.url));

/** Resident memory of the built engine in plain Node, from a packed file that is there. */
async function memory({ models, step }: Context): Promise<Section[]> {
  step('resident memory');
  const what = ["first session over Node's base", 'each further session (of 7)'] as const;
  const bars = [atMost(75), atMost(6)] as const;
  const title = 'Resident memory: DistilBERT-base int8, 80% zeros, int8 embeddings, batch 1, 128 tokens, one thread a session';
  const rows = (values: readonly (number | null)[], detail: readonly string[]): Row[] =>
    what.map((name, i) => ({ what: name, measured: values[i] ?? null, unit: 'MB', bar: bars[i]!, detail: detail[i] ?? detail[0]! }));
  if (process.platform !== 'linux' || !existsSync(built))
    return [{ title, rows: rows([], [existsSync(built) ? 'this platform has no /proc' : 'the packages are not built']) }];
  const model = await models.baseInt8();
  const measured = () => spawnSync(process.execPath, ['--expose-gc', child, model, models.cache], { encoding: 'utf8' });
  // The built engine takes no weights that its sources packed: the first run packs them.
  measured();
  const { stdout, stderr, status } = measured();
  if (status !== 0) throw new Error(`the memory measurement failed: ${stderr}`);
  const { base, imported, loaded, first, further, mapped } = JSON.parse(stdout) as Record<string, number>;
  const mb = (bytes: number): string => (bytes / 1e6).toFixed(1);
  return [
    {
      title,
      note: 'VmRSS after a collection; pages of the packed file that were touched count, though all processes share them.',
      rows: rows(
        [(first! - base!) / 1e6, further! / 1e6],
        [
          `base ${mb(base!)}, engine imported +${mb(imported! - base!)}, model loaded +${mb(loaded! - imported!)}, session and run +${mb(first! - loaded!)}; ${mb(mapped!)} of it are shared pages of files`,
          'weights are shared',
        ],
      ),
    },
  ];
}

export const memorySection: SectionSpec = {
  name: 'memory',
  about: 'resident memory of first and further sessions',
  runs: [{ pinned: false, run: memory }],
};
