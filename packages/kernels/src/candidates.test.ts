import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { isa, linearCandidates, timeFormats } from './index';

const all = (768 / 4) * 768;

it('offers the forms that this CPU has kernels for, cheapest first', () => {
  const found = linearCandidates(768, 768, all / 5, 2);
  const cycles = found.map((candidate) => candidate.cycles);
  expect(cycles).toEqual([...cycles].sort((a, b) => a - b));
  const forms = found.map((candidate) => candidate.format).sort();
  expect(forms).toEqual(isa().tier === 'amx' ? ['compressed4x1', 'dense', 'sparse4x1', 'tiled'] : ['dense', 'sparse4x1']);
});

it('offers no sparse form where the outputs are no multiple of four', () => {
  expect(linearCandidates(2, 768, 768, 2).map((candidate) => candidate.format)).not.toContain('sparse4x1');
});

it.each([
  [0, 4, 0],
  [4, 4, 5],
])('refuses %i × %i with %i blocks', (m, k, blocks) => {
  expect(() => linearCandidates(m, k, blocks, 1)).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
});

/** s8 [m, k] with one block of 4x1 in twenty. */
const thin = (m: number, k: number): Int8Array => Int8Array.from({ length: m * k }, (_, i) => ((i % k) % 20 ? 0 : 1 + (i % 100)));

it('measures forms of a weight, whichever way it lies, and finds the one that skips faster where nearly all is zero', () => {
  const [m, k] = [128, 400];
  const straight = thin(m, k);
  const turned = straight.map((_, i) => straight[(i % m) * k + Math.floor(i / m)]!);
  for (const [order, weight] of [
    ['mk', straight],
    ['km', turned],
  ] as const) {
    const seconds = timeFormats(weight, { m, k, order, formats: ['dense', 'sparse4x1'], panels: 2 });
    expect([...seconds.keys()]).toEqual(['dense', 'sparse4x1']);
    expect(seconds.get('sparse4x1')!).toBeGreaterThan(0);
    expect(seconds.get('dense')! / seconds.get('sparse4x1')!).toBeGreaterThan(1.5);
  }
});

it.each([
  ['another length', new Int8Array(15), {}, 'E_USAGE'],
  ['another type', new Uint8Array(16) as unknown as Int8Array, {}, 'E_USAGE'],
  ['no form of that name', new Int8Array(16), { formats: ['woven'] as never }, 'E_USAGE'],
  ['five panels', new Int8Array(16), { panels: 5 }, 'E_USAGE'],
])('measures nothing of %s', (_, weight, options, code) => {
  const usual = { m: 4, k: 4, order: 'mk', formats: ['dense'], panels: 1 } as const;
  expect(() => timeFormats(weight, { ...usual, ...options })).toThrow(expect.objectContaining({ code }));
});

it('I6, W8: packs weights for tiles again on a CPU that has none, and refuses to write them there', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ne-tiles-'));
  try {
    const file = join(folder, 'tiles.neweights');
    const pack = `packWeights([{ kind: 'linear_u8s8', format: 'tiled', m: 4, k: 8, order: 'mk', data: new Int8Array(32) }], { file: ${JSON.stringify(file)} })`;
    const run = (code: string, tier: string): string => {
      const script = `import { openWeights, packWeights } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)}; ${code}`;
      const { stdout, stderr } = spawnSync(
        process.execPath,
        ['--conditions=source', '--import', 'tsx', '--input-type=module', '-e', script],
        { encoding: 'utf8', env: { ...process.env, NE_MAX_CPU_ISA: tier }, cwd: fileURLToPath(new URL('..', import.meta.url)) },
      );
      return stdout.trim() || stderr;
    };
    expect(run(`try { ${pack}; } catch (error) { console.log(error.code); }`, 'avx512_vnni')).toBe('E_USAGE');
    if (isa().tier !== 'amx') return console.info('weights for tiles: not written here, this CPU has no AMX');
    run(pack, 'amx');
    const open = `console.log(openWeights(${JSON.stringify(file)})?.kernels ?? 'none');`;
    expect(run(open, 'amx')).toContain('dense_u8s8_amx');
    expect(run(open, 'avx512_vnni')).toBe('none');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
