import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { publicPackages, root, SCOPE } from './workspace';

const packages = publicPackages();

describe.each(packages.map((one) => [one.short, one] as const))('the manifest of %s', (_, { manifest, folder, kind }) => {
  it('says where it comes from, what it needs and under which licence', () => {
    expect(manifest.repository?.directory).toBe(folder.slice(root.length));
    expect(manifest.license).toBe('Apache-2.0');
    expect(manifest.engines?.node).toBe('>=20.19');
    if (kind !== 'platform') expect(manifest.sideEffects).toBe(false);
  });
  it('has a README beside it, which the registry shows', () => {
    expect(readFileSync(join(folder, 'README.md'), 'utf8').split('\n')[0]).toBe(`# ${manifest.name}`);
  });
  it('runs nothing when the package is installed', () => {
    expect(Object.keys(manifest.scripts ?? {}).filter((name) => /install|^pre|^post|^prepare/.test(name))).toEqual([]);
  });
});

it('the kernels bring the library of every platform, each for its system, processor and C library', () => {
  const platforms = packages.filter(({ kind }) => kind === 'platform');
  const kernels = packages.find(({ short }) => short === 'kernels')!;
  expect(Object.keys(kernels.manifest.optionalDependencies!).sort()).toEqual(platforms.map(({ manifest }) => manifest.name).sort());
  for (const { manifest } of platforms) {
    const { name, main, os, cpu, libc } = manifest;
    const triple = name.slice(`${SCOPE}kernels-`.length);
    const [system, processor, abi] = triple.split('-');
    expect([triple, os, cpu]).toEqual([triple, [system], [processor]]);
    expect([triple, libc]).toEqual([triple, system === 'linux' ? [abi === 'gnu' ? 'glibc' : 'musl'] : undefined]);
    expect(main).toBe(`neural-engine.${triple}.node`);
  }
});

it('nobody but the command brings the demo model', () => {
  const bring = packages.filter(({ manifest }) => manifest.dependencies?.[`${SCOPE}demo-model`]);
  expect(bring.map(({ short }) => short)).toEqual(['cli']);
});
