import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Manifest, type PublicPackage, readManifest, root, SCOPE } from './workspace';

/** A package as a registry would serve it, unpacked. */
export interface Packed {
  readonly short: string;
  readonly kind: PublicPackage['kind'];
  readonly tarball: string;
  /** Where the tarball was unpacked; only what its manifest declares can be resolved from there. */
  readonly folder: string;
  /** The manifest inside of the tarball. */
  readonly manifest: Manifest;
  /** Files of the tarball with their sizes in bytes. */
  readonly files: ReadonlyMap<string, number>;
}

/** Packs packages with pnpm and unpacks them side by side in `store`, each beside links to its own dependencies. */
export function packAll(packages: readonly PublicPackage[], store: string): Map<string, Packed> {
  const filters = packages.flatMap(({ manifest }) => ['--filter', manifest.name]);
  const pnpm = ['--yes', 'pnpm@10.34.9', '--recursive', ...filters, 'pack', '--pack-destination', store];
  execFileSync('npx', pnpm, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 26 });
  const packed = new Map<string, Packed>();
  for (const { short, kind, manifest: source } of packages) {
    const tarball = join(store, `neural-engine-${short}-${source.version}.tgz`);
    const folder = join(store, short, 'node_modules', source.name);
    mkdirSync(folder, { recursive: true });
    execFileSync('tar', ['-xzf', tarball, '-C', folder, '--strip-components=1']);
    const files = filesOf(folder);
    packed.set(short, { short, kind, tarball, folder, manifest: readManifest(folder), files });
  }
  for (const { folder, manifest } of packages) linkDependencies(packed.get(manifest.name.slice(SCOPE.length))!, folder, packed);
  return packed;
}

function linkDependencies(one: Packed, source: string, packed: ReadonlyMap<string, Packed>): void {
  const { dependencies, optionalDependencies } = one.manifest;
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
    const ours = packed.get(name.slice(SCOPE.length))?.folder;
    // Platform packages of other platforms are not installed, as a package manager would have it.
    if (name.startsWith(SCOPE) && !ours) continue;
    link(ours ?? realpathSync(join(source, 'node_modules', name)), join(one.folder, '../..', name));
  }
}

function link(target: string, path: string): void {
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path, 'dir');
}

/** Makes a project into which these packages, and nothing else, are installed. */
export function project(folder: string, packages: readonly Packed[]): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  for (const { manifest, folder: target } of packages) link(target, join(folder, 'node_modules', manifest.name));
  return folder;
}

/** A package and all that installing it brings: ours by their tarballs, others by their folders. */
export function closure(start: Packed): { ours: Set<string>; folders: Set<string> } {
  const found = { ours: new Set<string>(), folders: new Set<string>() };
  const visit = (folder: string): void => {
    const at = realpathSync(folder);
    if (found.folders.has(at)) return;
    found.folders.add(at);
    const { name, dependencies, optionalDependencies } = readManifest(at);
    if (name.startsWith(SCOPE)) found.ours.add(name.slice(SCOPE.length));
    const beside = at.slice(0, -name.length);
    for (const dependency of Object.keys({ ...dependencies, ...optionalDependencies })) {
      if (existsSync(join(beside, dependency))) visit(join(beside, dependency));
    }
  };
  visit(start.folder);
  return found;
}

/** Bytes of all files below a folder. */
export const sizeOf = (folder: string): number => [...filesOf(folder).values()].reduce((sum, size) => sum + size, 0);

function filesOf(folder: string): Map<string, number> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => name.replaceAll('\\', '/'));
  const entries = names.map((name) => [name, statSync(join(folder, name))] as const);
  return new Map(entries.filter(([, stat]) => stat.isFile()).map(([name, stat]) => [name, stat.size]));
}

/** The examples of a README: its blocks marked `ts`; none where there is no such file. */
export function examplesOf(file: string): string[] {
  if (!existsSync(file)) return [];
  return [...readFileSync(file, 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match) => match[1]!);
}
