import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { publicPackages, root } from '../packaging/workspace';

const text = (file: string): string => readFileSync(join(root, file), 'utf8');
const packages = publicPackages();
const { fixed, linked } = JSON.parse(text('.changeset/config.json')) as Record<'fixed' | 'linked', string[][]>;

describe('versions', () => {
  it('of the kernels, their platform packages and the Cargo workspace are one', () => {
    const kernels = packages.filter(({ short }) => short.startsWith('kernels'));
    expect(kernels).toHaveLength(6);
    const versions = kernels.map(({ manifest }) => manifest.version);
    const cargo = /\[workspace\.package\]\nversion = "([^"]*)"/.exec(text('rust-kernels/Cargo.toml'))![1];
    const locked = [...text('rust-kernels/Cargo.lock').matchAll(/\nname = "neural-engine-[^"]*"\nversion = "([^"]*)"/g)];
    expect(locked.length).toBeGreaterThan(3);
    expect(new Set([...versions, cargo, ...locked.map(([, version]) => version)])).toEqual(new Set([versions[0]]));
  });
  it('of every package follow one rule: the kernels move together, the others are linked', () => {
    expect(fixed).toEqual([['@neural-engine/kernels', '@neural-engine/kernels-*']]);
    const others = packages.map(({ manifest }) => manifest.name).filter((name) => !name.startsWith('@neural-engine/kernels'));
    expect(linked.map((group) => [...group].sort())).toEqual([others.sort()]);
  });
  it('of a dependency among ours follow it: a range for packages, one version for platform packages', () => {
    for (const { manifest } of packages) {
      for (const [name, range] of Object.entries(manifest.dependencies ?? {}))
        if (name.startsWith('@neural-engine/')) expect([name, range]).toEqual([name, 'workspace:^']);
      for (const range of Object.values(manifest.optionalDependencies ?? {})) expect(range).toBe('workspace:*');
    }
  });
});

describe('the ABI', () => {
  it('is one number in the kernels, in the runtime and in Rust', () => {
    const of = (file: string, pattern: RegExp): string => pattern.exec(text(file))![1]!;
    const kernels = of('packages/kernels/src/load.ts', /export const ABI = (\d+);/);
    expect(of('packages/runtime/src/kernels.ts', /export const ABI = (\d+);/)).toBe(kernels);
    expect(of('rust-kernels/crates/runtime/src/program.rs', /pub const ABI: u32 = (\d+);/)).toBe(kernels);
  });
});
