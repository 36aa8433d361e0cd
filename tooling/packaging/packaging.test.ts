import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { typeProblems } from './attw';
import { closure, examplesOf, type Packed, packAll, project, sizeOf } from './install';
import { CONTENT, EXTRA, INSTALLED_ENGINE, OTHERS, UNPACKED } from './limits';
import { ENDINGS, PRELUDES, PRINTS } from './readme-surroundings';
import { USES } from './uses';
import { publicPackages, root, unbuilt } from './workspace';

const { platform, arch } = process;
const everywhere = publicPackages();
/** Those of this platform: the others' libraries are built elsewhere. */
const packages = everywhere.filter(
  ({ manifest }) => !manifest.os || (manifest.os[0] === platform && manifest.cpu![0] === arch && manifest.libc?.[0] !== 'musl'),
);
const libraries = packages.filter(({ kind }) => kind === 'library').map(({ short }) => short);

const folder = mkdtempSync(join(tmpdir(), 'packaging-'));
let packed: Map<string, Packed>;

beforeAll(() => {
  const missing = packages.map(unbuilt).filter((file) => file !== undefined);
  if (missing.length > 0) throw new Error(`not built: ${missing.join(', ')}; run npx --yes pnpm@10.34.9 run bootstrap`);
  packed = packAll(packages, join(folder, 'store'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const get = (short: string): Packed => packed.get(short)!;

/** Runs Node in a project; packed weights are kept below the test's own folder. */
async function node(cwd: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, XDG_CACHE_HOME: join(folder, 'cache') };
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      cwd,
      env,
      encoding: 'utf8',
      timeout: 60_000,
      maxBuffer: 1 << 26,
    });
    return stdout;
  } catch (error) {
    // The message of execFile repeats the whole program; what the program said is what matters.
    const { stderr, code, signal } = error as { stderr: string; code: unknown; signal: unknown };
    throw new Error(`exit ${String(code ?? signal)}: ${stderr}`);
  }
}

describe('manifests', () => {
  it.each(everywhere)('$short says where it comes from, what it needs and under which licence', ({ manifest, folder: at, kind }) => {
    expect(manifest.repository?.directory).toBe(at.slice(root.length));
    expect(manifest.license).toBe('Apache-2.0');
    expect(manifest.engines?.node).toBe('>=20.19');
    if (kind !== 'platform') expect(manifest.sideEffects).toBe(false);
    if (kind === 'platform') expect(manifest.main).toBe(`neural-engine.${manifest.name.split('kernels-')[1]}.node`);
    // Nothing runs when a package is installed.
    expect(Object.keys(manifest.scripts ?? {}).filter((name) => /install|^pre|^post|^prepare/.test(name))).toEqual([]);
  });
  it('the kernels pin the library of every platform to their own version', () => {
    const platforms = everywhere.filter(({ kind }) => kind === 'platform').map(({ manifest }) => [manifest.name, manifest.version]);
    const { optionalDependencies, version } = get('kernels').manifest;
    expect(optionalDependencies).toEqual(Object.fromEntries(platforms));
    expect(new Set(Object.values(optionalDependencies!))).toEqual(new Set([version]));
  });
  it('no packed manifest names the workspace', () => {
    for (const { manifest } of packed.values())
      expect(JSON.stringify([manifest.dependencies, manifest.optionalDependencies])).not.toContain('workspace:');
  });
  it('the engine brings no model, and the parser nothing of ours but core', () => {
    expect(closure(get('engine')).ours).not.toContain('demo-model');
    expect([...closure(get('onnx')).ours].sort()).toEqual(['core', 'onnx']);
  });
});

describe('tarballs', () => {
  it.each(packages)('$short holds its files and no others, within its size', ({ short, kind }) => {
    const { files } = get(short);
    const others = [...files.keys()].filter((file) => !CONTENT[kind].test(file) && !EXTRA[short]?.test(file));
    expect(others).toEqual([]);
    expect(
      [...files.keys()].some((file) => /(^|\/)LICENSE$/.test(file)),
      'a LICENSE',
    ).toBe(true);
    if (kind === 'library') expect([...files.keys()]).toContain('README.md');
    if (kind === 'platform') expect([...files.keys()]).toContain('THIRD-PARTY.md');
    const size = [...files.values()].reduce((sum, bytes) => sum + bytes, 0);
    expect(size, `${short}: ${size} bytes`).toBeLessThanOrEqual(UNPACKED[short] ?? OTHERS);
  });
  it('the engine with its kernels for one platform installs within its size', () => {
    const size = [...closure(get('engine')).folders].reduce((sum, one) => sum + sizeOf(one), 0);
    expect([...closure(get('engine')).ours]).toContain(
      `kernels-${packages.find(({ kind }) => kind === 'platform')!.manifest.name.split('kernels-')[1]}`,
    );
    console.log(`engine and kernels, installed: ${(size / 1e6).toFixed(1)} MB`);
    expect(size).toBeLessThanOrEqual(INSTALLED_ENGINE);
  });
  it.each(packages)('publint finds nothing in $short', async ({ short }) => {
    const bytes = readFileSync(get(short).tarball);
    const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg!))).toEqual([]);
  });
  it.each(libraries)('the types of %s are right for every way to import it', async (short) => {
    expect(await typeProblems(get(short).tarball)).toEqual([]);
  });
});

describe('each package alone in an empty project', () => {
  it('has a use written down here', () => expect(libraries.filter((short) => !USES[short])).toEqual([]));

  it.each(libraries)('%s works in ESM and in CJS', async (short) => {
    const { program, beside = [], prints } = USES[short]!;
    const needed = [short, ...beside, ...(/use\('(\w+)'\)/.exec(program)?.slice(1) ?? [])];
    const at = project(join(folder, 'alone', short), [...new Set(needed)].map(get));
    const body = (get: string): string => `const use = async (short) => ${get}('@neural-engine/' + short);
      (async () => { const lib = await use('${short}'); ${program} })()
        .then((text) => console.log(text), (error) => { console.error(error); process.exit(1); });`;
    writeFileSync(join(at, 'use.mjs'), body('import'));
    writeFileSync(join(at, 'use.cjs'), body('require'));
    const [esm, cjs] = await Promise.all([node(at, 'use.mjs'), node(at, 'use.cjs')]);
    expect(esm.trimEnd()).toMatch(prints);
    expect(cjs).toBe(esm);
  });
  it('the command prints its help', async () => {
    const at = project(join(folder, 'alone', 'cli'), [get('cli')]);
    expect(await node(at, 'node_modules/@neural-engine/cli/bin/ne.js', '--help')).toMatch(/compile/);
  });
});

describe('the examples of the READMEs', () => {
  const examples = [
    ...libraries.map((short) => [short, join(root, 'packages', short, 'README.md')] as const),
    ['root', join(root, 'README.md')] as const,
  ].flatMap(([name, file]) => examplesOf(file).map((code, i) => [`${name} ${i}`, code] as const));
  let at: string;

  beforeAll(() => {
    at = project(join(folder, 'readme'), libraries.map(get));
    const model = join(get('demo-model').folder, 'files');
    for (const file of readdirSync(model)) symlinkSync(join(model, file), join(at, file));
    symlinkSync(model, join(at, 'model-folder'));
    mkdirSync(join(at, 'node_modules/@types'), { recursive: true });
    symlinkSync(join(root, 'node_modules/@types/node'), join(at, 'node_modules/@types/node'));
    for (const [name, code] of examples) {
      const source = `${PRELUDES[name] ?? ''}${code}${ENDINGS[name] ?? ''}`;
      writeFileSync(join(at, `${name.replace(' ', '-')}.ts`), source);
      const { outputText } = ts.transpileModule(source, {
        compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
      });
      writeFileSync(join(at, `${name.replace(' ', '-')}.mjs`), outputText);
    }
  });

  it('every package has one', () => expect(libraries.filter((short) => !examples.some(([name]) => name === `${short} 0`))).toEqual([]));

  it.each([
    // Declarations themselves are checked once: that takes most of the time.
    { name: 'node16', module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16, skipLibCheck: false },
    { name: 'bundler', module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, skipLibCheck: true },
  ])(
    'have the right types under moduleResolution $name',
    ({ name, ...resolution }) => {
      const files = examples.map(([example]) => join(at, `${example.replace(' ', '-')}.ts`));
      const program = ts.createProgram(files, {
        ...resolution,
        strict: true,
        noEmit: true,
        target: ts.ScriptTarget.ES2022,
        lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
        types: ['node'],
        typeRoots: [join(at, 'node_modules/@types')],
      });
      const host = { getCanonicalFileName: (file: string) => file, getCurrentDirectory: () => at, getNewLine: () => '\n' };
      expect(ts.formatDiagnostics(ts.getPreEmitDiagnostics(program), host), name).toBe('');
    },
    120_000,
  );
  it.each(examples)('%s runs', async (name) => {
    expect(await node(at, `${name.replace(' ', '-')}.mjs`)).toMatch(PRINTS[name] ?? /^/);
  });
});
