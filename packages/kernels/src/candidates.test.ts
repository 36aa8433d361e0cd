import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { isa, linearCandidates } from './index';

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

it('packs weights for tiles again on a CPU that has none, and refuses to write them there', () => {
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
