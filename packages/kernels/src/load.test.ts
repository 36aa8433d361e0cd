import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isa, platformTriple } from './index';

function load(env: NodeJS.ProcessEnv): string {
  const script = `
    import { isa } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
    try { console.log(isa().tier) } catch (error) { console.log(error.code, error.message) }`;
  const args = ['--conditions=source', '--import', 'tsx', '--input-type=module', '-e', script];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, ...env } });
  return stdout || stderr;
}

it('reports what this CPU and process have', () => {
  const report = isa();
  expect(report.tiers).toContain('scalar');
  expect(report.tiers).toContain(report.tier);
  expect(report.physicalCpus.length).toBeGreaterThan(0);
  expect(report.allowedCpus).toEqual(expect.arrayContaining([...report.physicalCpus]));
  expect(report.defaultThreads).toBeGreaterThan(0);
  expect(Object.values(report.caches).every((size) => size >= 0)).toBe(true);
  expect(platformTriple()).toContain(process.arch);
});

it('says what it tried and what to do when there is no library', () => {
  const text = load({ NE_NATIVE_PATH: '/nowhere/none.node' });
  expect(text).toMatch(/^E_ISA no native kernels for .*Node/);
  expect(text).toContain('/nowhere/none.node');
  expect(text).toContain('NE_NATIVE_PATH names the library');
});

it('names both versions when package and library disagree', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ne-load-'));
  const path = join(folder, 'other.cjs');
  writeFileSync(path, 'exports.abi = () => 999;');
  const text = load({ NE_NATIVE_PATH: path });
  rmSync(folder, { recursive: true });
  expect(text).toMatch(/^E_ISA @neural-engine\/kernels speaks ABI \d+, the native library .* speaks ABI 999/);
});

it('does not load anything before the first use', () => {
  const script = `await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)}); console.log('imported')`;
  const args = ['--conditions=source', '--import', 'tsx', '--input-type=module', '-e', script];
  const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, NE_NATIVE_PATH: '/nowhere' } });
  expect(stdout).toBe('imported\n');
});
