// The way of a release to a registry on the loopback address, and what strangers then install: `pnpm release:dry` runs this file alone.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { typeProblems } from '../packaging/attw';
import { CONTENT, EXTRA, INSTALLED_ENGINE, OTHERS, UNPACKED } from '../packaging/limits';
import { ENDINGS, PRELUDES, PRINTS } from '../packaging/readme-surroundings';
import { USES } from '../packaging/uses';
import { publicPackages, readManifest, root, SCOPE, unbuilt } from '../packaging/workspace';
import { examplesOf, filesOf, installed, neededBy, patch, sizeOf, use, writeUse } from './project';
import { MANAGERS, Release } from './release';
import { diagnose, RESOLUTIONS, strip, writeImports } from './typescript';

const { platform, arch } = process;
const everywhere = publicPackages();
const here = everywhere.filter(({ kind, manifest }) => kind !== 'platform' || isHere(manifest));
const libraries = here.filter(({ kind }) => kind === 'library').map(({ short }) => short);
const ownKernels = here.find(({ kind }) => kind === 'platform')!.short;

function isHere({ os, cpu, libc }: { os?: readonly string[]; cpu?: readonly string[]; libc?: readonly string[] }): boolean {
  return os![0] === platform && cpu![0] === arch && libc?.[0] !== 'musl';
}

let release: Release;
/** Of each package by its short name: in the work tree, and as released. */
let before: Map<string, string>;
let versions: Map<string, string>;
let published: string[];
const names = (shorts: readonly string[]): string[] => shorts.map((short) => SCOPE + short);

beforeAll(async () => {
  const missing = here.map(unbuilt).filter((file) => file !== undefined);
  if (missing.length > 0) throw new Error(`not built: ${missing.join(', ')}; run npx --yes pnpm@10.34.9 run bootstrap`);
  release = await Release.start();
  before = release.versions();
  versions = await release.version();
  published = await release.publish();
}, 600_000);
afterAll(() => release?.end());

describe('a release', () => {
  it('writes the versions that the changesets ask for, the Cargo workspace with those of the kernels', () => {
    expect([...versions.keys()].filter((short) => versions.get(short) !== before.get(short))).not.toEqual([]);
    const cargo = readFileSync(join(release.copy, 'rust-kernels/Cargo.toml'), 'utf8');
    expect(cargo).toContain(`[workspace.package]\nversion = "${versions.get('kernels')}"`);
    expect(readFileSync(join(release.copy, 'packages/kernels/CHANGELOG.md'), 'utf8')).toContain(`## ${versions.get('kernels')}`);
  });
  it('publishes every package', () => {
    expect(published.sort()).toEqual([...versions].map(([short, version]) => `${SCOPE}${short}@${version}`).sort());
  });
  it('leaves nothing to publish', async () => expect(await release.publish()).toEqual([]));
});

describe('tarballs', () => {
  it.each(here.map((one) => [one.short, one] as const))(
    '%s holds its files and no others, within its size; publint and attw find nothing',
    async (short, { kind }) => {
      const folder = join(release.folder, 'unpacked', short);
      const file = join(release.folder, `${short}.tgz`);
      const bytes = release.registry.tarball(SCOPE + short, versions.get(short)!);
      writeFileSync(file, bytes);
      await release.run(release.folder, 'mkdir', '-p', folder);
      await release.run(folder, 'tar', '-xzf', file, '--strip-components=1');
      const files = filesOf(folder);
      expect([...files.keys()].filter((name) => !CONTENT[kind].test(name) && !EXTRA[short]?.test(name))).toEqual([]);
      expect([...files.keys()].filter((name) => /(^|\/)LICENSE$/.test(name))).not.toEqual([]);
      expect([...files.keys()]).toContain('README.md');
      if (kind === 'platform') expect([...files.keys()]).toContain('THIRD-PARTY.md');
      if (kind === 'command') expect([...files.keys()]).toContain('bin/ne.js');
      expect(JSON.stringify(readManifest(folder))).not.toContain('workspace:');
      expect(sizeOf(folder)).toBeLessThanOrEqual(UNPACKED[short] ?? OTHERS);
      const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
      const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
      expect(messages.map((message) => formatMessage(message, pkg!))).toEqual([]);
      if (kind === 'library') expect(await typeProblems(file)).toEqual([]);
    },
  );
});

describe.each(MANAGERS)('an empty project, %s', (manager) => {
  it('has a use of every library', () => expect(libraries.filter((short) => !USES[short])).toEqual([]));

  it.each(['engine', ...libraries.filter((short) => short !== 'engine')])(
    'installs %s alone; it works in ESM and in CJS',
    async (short) => {
      const project = release.project(`${manager}-${short}`);
      await release.install(manager, project, ...names(neededBy(short)));
      writeUse(project, short);
      const [esm, cjs] = [await use(release, project, 'mjs'), await use(release, project, 'cjs')];
      expect(esm).toMatch(USES[short]!.prints);
      expect(cjs).toBe(esm);
    },
  );
  it('installs the command, which answers', async () => {
    const project = release.project(`${manager}-cli`);
    await release.install(manager, project, `${SCOPE}cli`);
    expect(await release.run(project, 'node_modules/.bin/ne', '--version')).toBe(`${versions.get('cli')}\n`);
  });
});

describe('what was installed', () => {
  const at = (short: string): string => join(release.folder, 'projects', `npm-${short}`);

  it('of the engine is small, is for this platform only, and holds no model', () => {
    const size = sizeOf(join(at('engine'), 'node_modules'));
    console.log(`engine and kernels, installed: ${(size / 1e6).toFixed(1)} MB`);
    expect(size).toBeLessThanOrEqual(INSTALLED_ENGINE);
    const ours = [...installed(at('engine')).keys()];
    expect(ours).not.toContain('demo-model');
    expect(ours.filter((short) => short.startsWith('kernels-'))).toEqual([ownKernels]);
  });
  it('of the ONNX parser is no native code, and nothing else of ours but core', () => {
    expect([...installed(at('onnx')).keys()].sort()).toEqual(['core', 'onnx']);
    expect([...filesOf(join(at('onnx'), 'node_modules')).keys()].filter((file) => /\.(node|so|dylib|dll)$/.test(file))).toEqual([]);
  });
  it.each(libraries)('of %s has the right types under moduleResolution node16 and bundler', (short) => {
    const [esm, cjs] = writeImports(at(short), SCOPE + short);
    expect(diagnose(at(short), [esm!, cjs!], 'node16')).toBe('');
    expect(diagnose(at(short), [esm!], 'bundler')).toBe('');
  });
  it('of the engine has the right types where pnpm keeps packages apart, too', () => {
    const project = join(release.folder, 'projects/pnpm-engine');
    const [esm, cjs] = writeImports(project, `${SCOPE}engine`);
    expect(diagnose(project, [esm!, cjs!], 'node16')).toBe('');
    expect(diagnose(project, [esm!], 'bundler')).toBe('');
  });
});

describe('on processors with fewer instructions', () => {
  const emulator = platform === 'linux' && arch === 'x64' && spawnSync('qemu-x86_64', ['--version']).status === 0;
  if (!emulator) console.log('not tested: processors without AVX-512 and without AVX2, for want of qemu-x86_64 (Debian: qemu-user)');

  it.skipIf(!emulator).each([
    ['Haswell', 'AVX-512', 'avx2'],
    ['Nehalem', 'AVX2', 'scalar'],
  ])('I1, I2: a %s, without %s, kernels and engine answer', async (cpu, _, tier) => {
    const run = (short: string) =>
      release.run(join(release.folder, 'projects', `npm-${short}`), 'qemu-x86_64', '-cpu', cpu, process.execPath, 'use.mjs');
    expect(await run('kernels')).toMatch(new RegExp(`^${tier} 10,12,`));
    expect((await run('engine')).trimEnd()).toMatch(USES['engine']!.prints);
  });
});

describe('kernels that do not fit', () => {
  const dist = (short: string): string[] => ['js', 'cjs'].map((ending) => `node_modules/${SCOPE}${short}/dist/index.${ending}`);
  const versionOf = (short: string): string => `${SCOPE}${short} ${versions.get(short)}`.replaceAll('.', '\\.');
  const both = async (short: string, message: RegExp): Promise<void> => {
    const project = join(release.folder, 'projects', `npm-${short}`);
    for (const kind of ['mjs', 'cjs'] as const) expect(await use(release, project, kind)).toMatch(message);
  };

  const abi = Number(
    /pub const ABI: u32 = (\d+);/.exec(readFileSync(join(root, 'rust-kernels/crates/runtime/src/program.rs'), 'utf8'))![1],
  );
  const other = abi + 1;
  const change = [/var (ABI\d*) = \d+;/, `var $1 = ${other};`] as const;

  it.each([
    ['newer', 'kernels', abi, other],
    ['older', 'runtime', other, abi],
  ])('are refused when they are %s than the runtime', async (_, patched, writes, runs) => {
    const restore = patch(join(release.folder, 'projects/npm-engine'), dist(patched), ...change);
    const said = `^E_ISA ${versionOf('runtime')} writes programs of ABI ${writes}, ${versionOf('kernels')} runs those of ABI ${runs}; run "npm install `;
    await both('engine', new RegExp(said)).finally(restore);
    await both('engine', USES['engine']!.prints);
  });
  it('are refused when their native library is of another ABI', async () => {
    const restore = patch(join(release.folder, 'projects/npm-kernels'), dist('kernels'), ...change);
    const mend = `run "npm install ${SCOPE}${ownKernels}@${versions.get('kernels')}"`;
    const said = `^E_ISA ${versionOf('kernels')} speaks ABI ${other}, ${versionOf(ownKernels)} speaks ABI ${abi}; ${mend.replaceAll('.', '\\.')}$`;
    await both('kernels', new RegExp(said)).finally(restore);
  });
  it.each(MANAGERS)('are missing without optional packages, and the command that the error names mends it, %s', async (manager) => {
    const project = release.project(`${manager}-no-optional`);
    await release.install(manager, project, ...(manager === 'npm' ? ['--omit=optional'] : ['--no-optional']), `${SCOPE}kernels`);
    writeUse(project, 'kernels');
    const said = await use(release, project, 'mjs');
    expect(said).toMatch(/^E_ISA no native kernels for .* could be loaded; tried\n/);
    expect(said).toContain(`\n  ${SCOPE}${ownKernels}: not found\n`);
    const [, mend] = /\nrun "npm install (.*)"\n/.exec(said)!;
    await release.install(manager, project, mend!);
    expect(await use(release, project, 'mjs')).toMatch(USES['kernels']!.prints);
  });
});

describe('the examples of the READMEs', () => {
  const examples = [
    ...libraries.map((short) => [short, join(root, 'packages', short, 'README.md')] as const),
    ['root', join(root, 'README.md')] as const,
  ].flatMap(([name, file]) => examplesOf(file).map((code, i) => [`${name} ${i}`, code] as const));
  const fileOf = (name: string): string => name.replace(' ', '-');
  const run = (name: string): Promise<string> => release.run(project, process.execPath, `${fileOf(name)}.mjs`);
  let project: string;

  beforeAll(async () => {
    project = release.project('readme');
    await release.install('npm', project, ...names(libraries));
    const model = join(project, 'node_modules', SCOPE, 'demo-model/files');
    for (const file of readdirSync(model)) symlinkSync(join(model, file), join(project, file));
    symlinkSync(model, join(project, 'model-folder'));
    // One example lets another runtime run models.
    symlinkSync(join(root, 'node_modules/onnxruntime-node'), join(project, 'node_modules/onnxruntime-node'));
    for (const [name, code] of examples) {
      const source = `${PRELUDES[name] ?? ''}${code}${ENDINGS[name] ?? ''}`;
      writeFileSync(join(project, `${fileOf(name)}.ts`), source);
      writeFileSync(join(project, `${fileOf(name)}.mjs`), strip(source));
    }
  });

  it('are one or more for each package', () =>
    expect(libraries.filter((short) => !examples.some(([name]) => name === `${short} 0`))).toEqual([]));
  it.each(Object.keys(RESOLUTIONS) as (keyof typeof RESOLUTIONS)[])('have the right types under moduleResolution %s', (resolution) => {
    const files = examples.map(([name]) => `${fileOf(name)}.ts`);
    expect(diagnose(project, files, resolution)).toBe('');
  });
  it.each(examples)('%s runs', async (name) => expect(await run(name)).toMatch(PRINTS[name] ?? /^/));

  describe('when new kernels are released', () => {
    const kernels = everywhere.map(({ short }) => short).filter((short) => short.startsWith('kernels'));
    let next: Map<string, string>;

    it('they alone get a new version and are published', async () => {
      writeFileSync(join(release.copy, '.changeset/faster.md'), `---\n"${SCOPE}kernels": patch\n---\n\nFaster.\n`);
      next = await release.version();
      expect([...next].filter(([short, version]) => version !== versions.get(short)).map(([short]) => short)).toEqual(kernels);
      expect((await release.publish()).sort()).toEqual(kernels.map((short) => `${SCOPE}${short}@${next.get(short)}`).sort());
    }, 180_000);
    it('npm update brings them, and nothing else, and the engine works', async () => {
      await release.run(project, 'npm', 'update');
      for (const [short, version] of installed(project)) expect([short, version]).toEqual([short, next.get(short)]);
      expect(await run('engine 0')).toMatch(PRINTS['engine 0']!);
      expect(await run('kernels 0')).toMatch(PRINTS['kernels 0']!);
    });
    it('pnpm update brings them below the engine', async () => {
      const below = join(release.folder, 'projects/pnpm-engine');
      await release.run(below, release.pnpm, 'update', '--depth', '10');
      expect(readdirSync(join(below, 'node_modules/.pnpm')).join()).toContain(`kernels@${next.get('kernels')}`);
      expect(await use(release, below, 'mjs')).toMatch(USES['engine']!.prints);
    });
  });
});
