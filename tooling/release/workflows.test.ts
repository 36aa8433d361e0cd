import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { publicPackages, root } from '../packaging/workspace';

const folder = join(root, '.github/workflows');
const workflows = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')] as const);
const text = (name: string): string => new Map(workflows).get(name)!;

describe('the workflows', () => {
  it.each(workflows)('%s runs only what is pinned, and may only read unless a job says otherwise', (_, yaml) => {
    for (const [, used] of yaml.matchAll(/\buses: *(\S+)/g))
      expect(used).toMatch(/^(\.\/\.github\/workflows\/\w+\.yml|[\w/-]+@[0-9a-f]{40})$/);
    expect(yaml).toMatch(/^permissions: \{ contents: read \}$/m);
    expect(yaml).not.toMatch(/\bsecrets\./);
  });
  it('build the library of every platform that has a package', () => {
    const triples = [...text('native.yml').matchAll(/\btriple: ([\w-]+),/g)].map(([, triple]) => triple);
    const platforms = publicPackages().filter(({ kind }) => kind === 'platform');
    expect(triples.sort()).toEqual(platforms.map(({ short }) => short.replace('kernels-', '')).sort());
  });
  it('publish with the identity of the workflow, after every check', () => {
    const [, publish] = text('release.yml').split(/^ {2}publish:$/m);
    expect(publish).toMatch(/needs: \[native, check\]/);
    expect(publish).toMatch(/id-token: write/);
    expect(publish).toMatch(/NPM_CONFIG_PROVENANCE: "true"/);
    expect(text('ci.yml') + text('native.yml')).not.toMatch(/: write/);
  });
});
