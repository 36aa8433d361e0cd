import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url));
export const SCOPE = '@neural-engine/';

/** The fields of a package.json that the tests here read. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly private?: boolean;
  readonly type?: string;
  readonly sideEffects?: boolean;
  readonly engines?: { readonly node?: string };
  readonly repository?: { readonly directory?: string };
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly main?: string;
}

/** A package that is published. */
export interface PublicPackage {
  /** Its name without the scope. */
  readonly short: string;
  readonly manifest: Manifest;
  readonly folder: string;
  /** Library of JavaScript, native library of one platform, or command. */
  readonly kind: 'library' | 'platform' | 'command';
}

export const readManifest = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;

/** Every package that is published; those of other platforms have a manifest here and their library is built elsewhere. */
export function publicPackages(): PublicPackage[] {
  const groups = { packages: 'library', 'packages/kernels/npm': 'platform', apps: 'command' } as const;
  return Object.entries(groups).flatMap(([group, kind]) =>
    readdirSync(join(root, group))
      .map((name) => join(root, group, name))
      .filter((folder) => existsSync(join(folder, 'package.json')))
      .map((folder) => ({ folder, kind, manifest: readManifest(folder) }))
      .filter(({ manifest }) => !manifest.private)
      .map((one) => ({ ...one, short: one.manifest.name.slice(SCOPE.length) })),
  );
}

/** What of a package must have been built. @returns the missing file, relative to the root. */
export function unbuilt({ kind, folder, manifest }: PublicPackage): string | undefined {
  const files = {
    library: ['dist/index.js', 'dist/index.cjs', 'dist/index.d.ts', 'dist/index.d.cts'],
    platform: [manifest.main!],
    command: ['dist'],
  };
  const missing = files[kind].find((file) => !existsSync(join(folder, file)));
  return missing && relative(root, join(folder, missing));
}
