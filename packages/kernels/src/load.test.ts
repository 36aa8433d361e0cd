import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isa, platformTriple } from './index';
import { PREBUILT } from './load';

function load(env: NodeJS.ProcessEnv, before = ''): string {
  const script = `${before}
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

it('I8: says what it tried and what to do when there is no library', () => {
  const text = load({ NE_NATIVE_PATH: '/nowhere/none.node' });
  expect(text).toMatch(/^E_ISA no native kernels for .*Node/);
  expect(text).toContain('/nowhere/none.node');
  expect(text).toContain('NE_NATIVE_PATH names the library');
});

it('I8: names both versions when package and library disagree', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ne-load-'));
  const path = join(folder, 'other.cjs');
  writeFileSync(path, 'exports.abi = () => 999;');
  const text = load({ NE_NATIVE_PATH: path });
  rmSync(folder, { recursive: true });
  expect(text).toMatch(
    /^E_ISA @neural-engine\/kernels \d+\.\d+\.\d+ speaks ABI \d+, the native library .*other\.cjs speaks ABI 999; NE_NATIVE_PATH names that library; unset it/,
  );
});

it('says what there is for a platform without a prebuilt library, and how to make one', () => {
  const text = load({}, "Object.defineProperty(process, 'arch', { value: 'riscv64' });");
  expect(text).toMatch(/^E_ISA no native kernels for .*riscv64/);
  expect(text).toContain(`prebuilt libraries exist for ${PREBUILT.join(', ')}; from a clone`);
});

it('knows every platform that has a package', () => {
  const { optionalDependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as Record<string, object>;
  expect(Object.keys(optionalDependencies!).sort()).toEqual(PREBUILT.map((triple) => `@neural-engine/kernels-${triple}`).sort());
});

it('does not load anything before the first use', () => {
  const script = `await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)}); console.log('imported')`;
  const args = ['--conditions=source', '--import', 'tsx', '--input-type=module', '-e', script];
  const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, NE_NATIVE_PATH: '/nowhere' } });
  expect(stdout).toBe('imported\n');
});
